// A route of a service worker: what it takes, what it sends and gives back, and that nothing it took reaches the network.

import { TorError } from "@allium/core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { torPath, torRoute } from "../../src/service-worker/index.ts";
import { type Asked, answered, makeRig, OWN, requestOf } from "./rig.ts";

/** The code with which a request is refused. */
async function refusal(response: Promise<Response> | undefined): Promise<unknown> {
  const given = (await response) as Response;
  const { code } = (await given.json()) as { code: string };
  expect([given.status, given.headers.get("x-allium-error")]).toEqual([502, code]);
  return code;
}

describe("what a route takes", () => {
  it.each([
    [`${OWN}/tor/http/example.com:8080/a/../b?c=%2F`, "http://example.com:8080/b?c=%2F"],
    [`${OWN}/tor/https/example.com`, "https://example.com/"],
    [`${OWN}/tor/http/[2001:db8::1]/x`, "http://[2001:db8::1]/x"],
    ["http://abc.onion/x", "http://abc.onion/x"],
    ["http://deep.abc.onion:81/x", "http://deep.abc.onion:81/x"],
    ["http://abc.onion./x", "http://abc.onion./x"],
    ["http://api.example/v1/items?q", "http://api.example/v1/items?q"],
  ])("%s, as %s", async (url, target) => {
    const rig = makeRig();
    expect(await (await rig.send(url))?.text()).toBe("through Tor");
    expect(rig.asked.map((call) => call.url)).toEqual([target]);
  });

  it.each([
    `${OWN}/`,
    `${OWN}/torpedo/`,
    "https://other.example/tor/http/example.com/",
    "http://api.example/v2/",
    "https://api.example/v1/",
    "http://api.example:81/v1/",
  ])("not %s", (url) => {
    const rig = makeRig();
    expect(rig.send(url)).toBeUndefined();
    expect(rig.asked).toEqual([]);
  });

  it.each([
    `${OWN}/tor/`,
    `${OWN}/tor/ftp/example.com/`,
    `${OWN}/tor/http//example.com`,
    `${OWN}/tor/http/user@example.com/`,
    `${OWN}/tor/http/example.com:99999/`,
    `${OWN}/tor/http/exa%00mple.com/`,
    `${OWN}/tor/http/example.com%2Fpath/`,
  ])("but refuses %s, which names no target", async (url) => {
    const rig = makeRig();
    expect(await refusal(rig.send(url))).toBe("ALLIUM_E_ROUTE_TARGET");
    expect([rig.asked, rig.leaked]).toEqual([[], []]);
  });

  it("refuses rules that are none", () => {
    makeRig();
    const client = { fetch: async () => new Response() };
    for (const match of [[], ["tor/"], ["/tor"], ["//host/"], ["example.com"], [1], "/tor/"] as never[]) {
      expect(() => torRoute({ client, match })).toThrow(
        expect.objectContaining({ code: "ALLIUM_E_ROUTE_MATCH" }),
      );
    }
  });

  it("writes targets as it reads them", async () => {
    const target = "http://example.com:8080/a?b=c";
    const rig = makeRig();
    await rig.send(OWN + torPath(target));
    expect(rig.asked[0]?.url).toBe(target);
    for (const wrong of ["/relative", "ftp://host/", "http://user@host/"]) {
      expect(() => torPath(wrong)).toThrow(expect.objectContaining({ code: "ALLIUM_E_ROUTE_TARGET" }));
    }
  });
});

describe("a route that fails", () => {
  afterEach(() => void vi.useRealTimers());
  const url = "http://abc.onion/";

  it.each([
    [
      "a rule that throws",
      {
        match: [
          () => {
            throw new Error("a mistake");
          },
        ],
      },
      "ALLIUM_E_INTERNAL",
    ],
    ["a rule that answers later", { match: [async () => false] as never }, "ALLIUM_E_ROUTE_MATCH"],
    ["a rule that answers nothing", { match: [() => undefined] as never }, "ALLIUM_E_ROUTE_MATCH"],
    [
      "an isolation that throws",
      {
        isolation: () => {
          throw new Error("a mistake");
        },
      },
      "ALLIUM_E_INTERNAL",
    ],
    [
      "a client that cannot be had",
      { client: () => Promise.reject(new Error("no port")) },
      "ALLIUM_E_INTERNAL",
    ],
    ["a client that is none", { client: {} as never }, "ALLIUM_E_INTERNAL"],
  ])("says so and asks no network: %s", async (_, options, code) => {
    const rig = makeRig(options);
    expect(await refusal(rig.send(url))).toBe(code);
    expect(rig.leaked).toEqual([]);
  });

  it("says what the client says", async () => {
    const rig = makeRig({}, () => {
      throw new TorError("exit-timeout", "ALLIUM_E_STREAM_TIMEOUT", "the exit waited in vain");
    });
    const response = await rig.send(url);
    expect(await response?.json()).toEqual({
      title: "not fetched through Tor",
      status: 502,
      detail: "the exit waited in vain",
      kind: "exit-timeout",
      code: "ALLIUM_E_STREAM_TIMEOUT",
    });
    expect(response?.headers.get("content-security-policy")).toContain("sandbox");
    expect(rig.leaked).toEqual([]);
  });

  it("waits half a minute for a client, no longer", async () => {
    vi.useFakeTimers();
    const rig = makeRig({ client: () => new Promise(() => {}) });
    const response = rig.send(url);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(await Promise.race([response, "waiting"])).toBe("waiting");
    await vi.advanceTimersByTimeAsync(1000);
    expect(await refusal(response)).toBe("ALLIUM_E_ROUTE_CLIENT");
  });

  it("is a network error for a page that gave up", async () => {
    const abort = new AbortController();
    const rig = makeRig({}, async ({ init }) => {
      abort.abort();
      expect(init.signal?.aborted).toBe(true);
      throw new DOMException("gone", "AbortError");
    });
    expect((await rig.send(url, { signal: abort.signal }))?.type).toBe("error");
  });

  it("breaks the body off when the target does", async () => {
    const rig = makeRig({}, () => {
      let pulls = 0;
      return answered(
        new ReadableStream({
          pull(controller) {
            if (pulls++ === 0) controller.enqueue(new Uint8Array(3));
            else controller.error(new TypeError("cut"));
          },
        }),
      );
    });
    await expect((await rig.send(url))?.arrayBuffer()).rejects.toThrow("cut");
  });
});

describe("what goes out", () => {
  it("is the page's request without what the browser adds", async () => {
    const rig = makeRig();
    const sent = ["authorization", "content-type", "if-none-match", "range", "x-api-key"];
    const kept = ["accept", "accept-language", "dnt", "dpr", "origin", "priority", "referer", "save-data"];
    const added = [
      ...kept.slice(1),
      "sec-ch-ua",
      "sec-fetch-site",
      "user-agent",
      "upgrade-insecure-requests",
    ];
    const request = requestOf("http://abc.onion/");
    const headers = new Headers([...sent, "accept", "cookie", ...added].map((name) => [name, "1"]));
    Object.defineProperty(request, "headers", { value: headers });
    let answer: Promise<Response> | undefined;
    const asked: Headers[] = [];
    const client = {
      fetch: async (_: unknown, init: { headers?: HeadersInit } = {}) => {
        asked.push(new Headers(init.headers));
        return answered("");
      },
    };
    torRoute({ client, match: [".onion"] })({
      request,
      respondWith: (given) => {
        answer = given;
      },
      stopImmediatePropagation: () => {},
    });
    await answer;
    expect([...(asked[0] as Headers)].map(([name]) => name)).toEqual(["accept", ...sent].sort());
    expect(rig.leaked).toEqual([]);
  });

  it("has method, body, redirect mode and a key of the target's own", async () => {
    const rig = makeRig();
    await rig.send("http://abc.onion:81/", { method: "PUT", body: "some bytes", redirect: "error" });
    const { init } = rig.asked[0] as Asked;
    expect(await (init.body as Blob).text()).toBe("some bytes");
    expect(init).toMatchObject({ method: "PUT", redirect: "error", isolation: "abc.onion:81" });
    await rig.send("http://abc.onion/", { method: "HEAD" });
    expect(rig.asked[1]?.init.method).toBe("HEAD");
    expect(rig.asked[1]?.init).not.toHaveProperty("body");
  });

  it("has the key that the site gives", async () => {
    const rig = makeRig({ isolation: (target) => `mine/${target.hostname}` });
    await rig.send("http://abc.onion:81/");
    expect(rig.asked[0]?.init.isolation).toBe("mine/abc.onion");
  });

  it.each([true, false])("has no more bytes than allowed, with a stream of them: %s", async (asStream) => {
    const rig = makeRig({ maxBodyBytes: 10 });
    const body = (bytes: number) => {
      const request = requestOf("http://abc.onion/", { method: "POST", body: new Uint8Array(bytes) });
      // Firefox's requests have no `body`.
      if (!asStream) Object.defineProperty(request, "body", { value: undefined });
      return request;
    };
    const { bodyOf } = await import("../../src/service-worker/body.ts");
    expect((await bodyOf(body(10), 10))?.size).toBe(10);
    await expect(bodyOf(body(11), 10)).rejects.toMatchObject({ code: "ALLIUM_E_ROUTE_BODY", kind: "limit" });
    const sent = rig.send("http://abc.onion/", { method: "POST", body: new Uint8Array(11) });
    expect(await refusal(sent)).toBe("ALLIUM_E_ROUTE_BODY");
    expect([rig.asked, rig.leaked]).toEqual([[], []]);
  });
});

describe("what comes back", () => {
  it("is the answer, not to be stored, without what the browser would act on", async () => {
    const taken = {
      "content-type": "text/plain",
      "content-range": "bytes 0-1/2",
      etag: '"1"',
      "retry-after": "1",
      "x-own": "1",
    };
    const acted = [
      "alt-svc",
      "clear-site-data",
      "content-encoding",
      "link",
      "nel",
      "refresh",
      "report-to",
      "set-cookie",
    ];
    const headers = {
      ...taken,
      ...Object.fromEntries(acted.map((name) => [name, "1"])),
      "content-length": "5",
    };
    const rig = makeRig({}, () => answered("hello", { status: 206, headers }, "http://abc.onion/end"));
    const response = await rig.send("http://abc.onion/");
    expect([response?.status, await response?.text()]).toEqual([206, "hello"]);
    expect(Object.fromEntries(response?.headers ?? [])).toEqual({
      ...taken,
      "cache-control": "no-store",
      "x-allium-url": "http://abc.onion/end",
    });
  });

  it("can do nothing as a document of the own origin", async () => {
    const rig = makeRig({}, () =>
      answered("<script>", { headers: { "content-security-policy": "script-src *" } }),
    );
    const mapped = await rig.send(`${OWN}/tor/http/example.com/`);
    expect(mapped?.headers.get("content-security-policy")).toBe("sandbox; default-src 'none'");
    expect(mapped?.headers.get("x-content-type-options")).toBe("nosniff");
    const foreign = await rig.send("http://abc.onion/");
    expect(foreign?.headers.get("content-security-policy")).toBe("script-src *");
  });

  it.each(["document", "iframe", "script", "style", "worker", "object", "something-new"])(
    "is no %s unless that is wanted, and never from a path of the own origin",
    async (destination) => {
      const strict = makeRig();
      expect(await refusal(strict.send("http://abc.onion/", { destination }))).toBe("ALLIUM_E_ROUTE_CODE");
      const rig = makeRig({ allowCode: true });
      expect((await rig.send("http://abc.onion/", { destination }))?.status).toBe(200);
      const mapped = rig.send(`${OWN}/tor/http/example.com/`, { destination });
      expect(await refusal(mapped)).toBe("ALLIUM_E_ROUTE_CODE");
      expect([strict.asked, rig.asked.length]).toEqual([[], 1]);
    },
  );

  it("is no navigation, whatever its destination is called", async () => {
    expect(await refusal(makeRig().send("http://abc.onion/", { navigate: true }))).toBe(
      "ALLIUM_E_ROUTE_CODE",
    );
  });

  it("redirects only to where the route leads", async () => {
    const leads = (location: string) =>
      makeRig({ allowCode: true }, () => answered(null, { status: 302, headers: { location } })).send(
        "http://abc.onion/a/b",
        { navigate: true, destination: "document", redirect: "manual" },
      );
    for (const location of ["c", "/c", "http://other.onion/", "http://api.example/v1/x"]) {
      expect((await leads(location))?.headers.get("location")).toBe(location);
    }
    for (const location of [
      "http://clear.example/",
      "http://api.example/v2",
      "//clear.example",
      "http://[",
    ]) {
      expect(await refusal(leads(location))).toBe("ALLIUM_E_ROUTE_REDIRECT");
    }
  });
});
