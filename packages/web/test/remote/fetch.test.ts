// fetch over a port: what goes to the client, what comes back, how it fails.

import { type FetchProgress, TorError, TorFetchError } from "@allium/core";
import { describe, expect, it } from "vitest";
import { counted, FakeClient, failureOf, pattern, served, until } from "./rig.ts";

const URL_ = "http://example.com/path?query";

/** A client that answers with what it was sent. */
function echoing() {
  const client = new FakeClient();
  client.onFetch = async (url, init) => {
    const request = new Request(url, {
      method: "POST",
      body: init.body ?? null,
      duplex: "half",
    } as RequestInit);
    return new Response(await request.arrayBuffer());
  };
  return served(client);
}

function initOf(client: FakeClient): RequestInit & { isolation?: string } {
  return client.calls.at(-1)?.args[1] as RequestInit;
}

describe("the response", () => {
  it("is a real one, with status, headers, address and a streamed body", async () => {
    const { client, tor } = served();
    client.onFetch = async () => {
      const headers = new Headers([
        ["x-a", "1"],
        ["x-a", "2"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ]);
      const response = new Response("the body", { status: 203, statusText: "So so", headers });
      Object.defineProperty(response, "url", { value: "http://example.com/end" });
      Object.defineProperty(response, "redirected", { value: true });
      return response;
    };
    const response = await tor.fetch(URL_);
    expect(response).toBeInstanceOf(Response);
    expect([response.status, response.statusText, response.url, response.redirected]).toEqual([
      203,
      "So so",
      "http://example.com/end",
      true,
    ]);
    expect(response.headers.get("x-a")).toBe("1, 2");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    const copy = response.clone();
    expect(copy.url).toBe("http://example.com/end");
    expect(await response.text()).toBe("the body");
    expect(await copy.text()).toBe("the body");
  });

  it("has no body where there is none", async () => {
    const { client, tor } = served();
    client.onFetch = async () => new Response(null, { status: 204 });
    const response = await tor.fetch(URL_);
    expect([response.status, response.body]).toEqual([204, null]);
  });

  it("carries 8 MiB unharmed, in pieces that fill their buffers", async () => {
    const { client, tor } = served();
    const sent = pattern(8 << 20);
    client.onFetch = async () => new Response(sent);
    const received: Uint8Array[] = [];
    for await (const chunk of (await tor.fetch(URL_)).body ?? []) {
      expect(chunk.byteLength).toBe(chunk.buffer.byteLength);
      received.push(chunk);
    }
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  it("gives what came before a failure, then the failure", async () => {
    const { client, tor } = served();
    client.onFetch = async () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(pattern(1000)),
          pull: () => {
            throw new TorFetchError(
              new TorError("circuit-collapse", "ALLIUM_E_LINK_CLOSED", "the link ended"),
            );
          },
        }),
      );
    const reader = ((await tor.fetch(URL_)).body as ReadableStream<Uint8Array>).getReader();
    expect((await reader.read()).value).toEqual(pattern(1000));
    const { kind, code, error } = await failureOf(reader.read());
    expect([kind, code]).toEqual(["circuit-collapse", "ALLIUM_E_LINK_CLOSED"]);
    expect(error).toBeInstanceOf(TypeError);
  });
});

describe("the request", () => {
  it("goes with method, headers, redirect mode and isolation", async () => {
    const { client, tor } = served();
    await tor.fetch(new URL(URL_), {
      ...{ method: "patch", redirect: "manual", isolation: "shop", integrity: ` sha256-${"A".repeat(43)}= ` },
      headers: { "X-Own": "1", host: "not.taken" },
    });
    const { method, redirect, headers, isolation, body } = initOf(client);
    expect(client.calls[0]?.args[0]).toBe(URL_);
    expect([method, redirect, isolation, body]).toEqual(["patch", "manual", "shop", undefined]);
    expect(headers).toEqual([["x-own", "1"]]);
    expect(initOf(client).integrity).toBe(` sha256-${"A".repeat(43)}= `);
  });

  it("ends with its timeout, in the worker too", async () => {
    const { client, tor } = served();
    client.onFetch = () => new Promise(() => {});
    const failure = await tor.fetch(URL_, { timeout: 20 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "TimeoutError" });
    await until(() => initOf(client).signal?.aborted === true);
  });

  it("tells how far its streams are", async () => {
    const { tor } = echoing();
    const seen: FetchProgress[] = [];
    const init = {
      ...{ method: "POST", body: new Blob(["hello"]).stream(), duplex: "half" as const },
      onProgress: (progress: FetchProgress) => void seen.push(progress),
    };
    await (await tor.fetch(URL_, init)).text();
    expect(seen).toEqual([
      { direction: "upload", loaded: 5 },
      { direction: "download", loaded: 5 },
    ]);
  });

  it("takes a Request, with its body", async () => {
    const { client, tor } = echoing();
    const request = new Request(URL_, { method: "PUT", body: "from a request", headers: { "x-b": "2" } });
    expect(await (await tor.fetch(request)).text()).toBe("from a request");
    expect(initOf(client).method).toBe("PUT");
    expect(new Headers(initOf(client).headers).get("content-type")).toBe("text/plain;charset=UTF-8");
  });

  const form = () => {
    const data = new FormData();
    data.append("field", "value");
    data.append("file", new Blob([pattern(2 << 20)]), "large.bin");
    return data;
  };
  it.each([
    ["a string", "text", "text/plain;charset=UTF-8", 4],
    ["bytes", pattern(1000), null, 1000],
    ["a part of a buffer", pattern(1000).subarray(10, 20), null, 10],
    ["URL parameters", new URLSearchParams({ a: "1" }), "application/x-www-form-urlencoded;charset=UTF-8", 3],
    ["a small Blob", new Blob(["blob"], { type: "text/x" }), "text/x", 4],
    ["a large Blob", new Blob([pattern(3 << 20)]), null, 3 << 20],
    ["large bytes", pattern(3 << 20), null, 3 << 20],
    ["a form", form(), /^multipart\/form-data; boundary=----formboundary[0-9a-f]{32}$/, (2 << 20) + 324],
  ] as const)("takes %s as a body whose length stays known", async (_, body, type, length) => {
    const { client, tor } = echoing();
    const response = await tor.fetch(URL_, { method: "POST", body });
    expect((await response.arrayBuffer()).byteLength).toBe(length);
    const sent = initOf(client).body as ArrayBuffer | Blob;
    expect(sent instanceof Blob ? sent.size : sent.byteLength).toBe(length);
    const contentType = new Headers(initOf(client).headers).get("content-type");
    if (type instanceof RegExp) expect(contentType).toMatch(type);
    else expect(contentType).toBe(type);
  });

  it("streams a body both ways at once, and leaves the caller's chunks alone", async () => {
    const { client, tor } = served();
    client.onFetch = async (_, init) => new Response(init.body as ReadableStream);
    const chunk = pattern(300_000);
    let left = 20;
    const body = new ReadableStream({
      pull: (controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
    });
    const response = await tor.fetch(URL_, { method: "POST", body, duplex: "half" });
    const received = new Uint8Array(await response.arrayBuffer());
    expect(received.length).toBe(20 * chunk.length);
    expect(Buffer.compare(received.subarray(-chunk.length), pattern(300_000))).toBe(0);
    expect(Buffer.compare(chunk, pattern(300_000))).toBe(0);
  });

  it("hands on the failure of a streamed body, and stops a body that is not taken", async () => {
    const { client, tor } = echoing();
    const failing = new ReadableStream({ pull: () => Promise.reject(new Error("secret of the page")) });
    const { code } = await failureOf(tor.fetch(URL_, { method: "POST", body: failing, duplex: "half" }));
    // Node's own Request stands in for the client here, and says what it was told.
    expect(["ALLIUM_E_HTTP_REQUEST_BODY", "ALLIUM_E_INTERNAL"]).toContain(code);
    client.onFetch = async (_, init) => {
      await (init.body as ReadableStream).cancel(new TorError("exit-timeout", "ALLIUM_E_HTTP_IDLE", "idle"));
      return new Response("early");
    };
    const endless = counted(10_000);
    const response = await tor.fetch(URL_, { method: "POST", body: endless.stream, duplex: "half" });
    expect(await response.text()).toBe("early");
    await until(() => endless.cancelled !== undefined);
    expect(endless.cancelled).toMatchObject({ code: "ALLIUM_E_HTTP_IDLE" });
  });

  it("takes what is left of a body after the answer is whole", async () => {
    const { client, tor, worker } = served();
    let taken = 0;
    client.onFetch = async (_, init) => {
      const sink = new WritableStream<Uint8Array>({
        write: (chunk) => {
          taken += chunk.length;
        },
      });
      void (init.body as ReadableStream).pipeTo(sink);
      return new Response("early");
    };
    const slow = counted(50_000, 1_000_000);
    const response = await tor.fetch(URL_, { method: "POST", body: slow.stream, duplex: "half" });
    expect(await response.text()).toBe("early");
    await until(() => taken === 1_000_000);
    expect(worker.posted.filter(({ type }) => type === "fatal")).toEqual([]);
  });
});

describe("a failure", () => {
  it("is a TypeError with kind, code, message and retryAfter", async () => {
    const { client, tor } = served();
    client.onFetch = async () => {
      const retryAfter = 5000;
      throw new TorFetchError(
        new TorError("bridge-refused", "ALLIUM_E_BRIDGE_LIMIT", "asked too much", { retryAfter }),
      );
    };
    const { error } = await failureOf(tor.fetch(URL_));
    expect(error).toBeInstanceOf(TorFetchError);
    expect(error).toMatchObject({
      ...{
        kind: "bridge-refused",
        code: "ALLIUM_E_BRIDGE_LIMIT",
        message: "asked too much",
        retryAfter: 5000,
      },
    });
  });

  it("that is no error of Allium's says nothing of itself", async () => {
    const { client, tor } = served();
    client.onFetch = () => Promise.reject(new Error("secret of the worker"));
    const { code, error } = await failureOf(tor.fetch(URL_));
    expect(code).toBe("ALLIUM_E_INTERNAL");
    expect(String(error) + String((error as Error).cause)).not.toContain("secret");
  });

  it.each([
    ["a relative URL", "/path", {}, "ALLIUM_E_FETCH_URL"],
    ["a scheme", "ftp://example.com/", {}, "ALLIUM_E_FETCH_SCHEME"],
    ["a bad method", URL_, { method: "a b" }, "ALLIUM_E_FETCH_INIT"],
    ["bad headers", URL_, { headers: { "a b": "c" } }, "ALLIUM_E_FETCH_INIT"],
    ["a body with GET", URL_, { body: "x" }, "ALLIUM_E_FETCH_INIT"],
    ["a URL too long to go", `${URL_}${"x".repeat(600_000)}`, {}, "ALLIUM_E_REMOTE_LIMIT"],
  ])("of %s is told before anything is sent", async (_, url, init, code) => {
    const { client, tor, page } = served();
    expect((await failureOf(tor.fetch(url, init))).code).toBe(code);
    expect(page.posted.filter(({ type }) => type === "fetch")).toEqual([]);
    expect(client.calls).toEqual([]);
    expect(await (await tor.fetch(URL_)).text()).toBe("hello");
  });
});
