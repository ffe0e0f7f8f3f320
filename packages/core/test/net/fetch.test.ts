// fetch against a real HTTP server of Node, over real TCP sockets as streams.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isTorError, TorError } from "../../src/base/errors.ts";
import { torFetch } from "../../src/net/fetch.ts";
import { TorFetchError } from "../../src/net/fetch-error.ts";
import {
  cut,
  listen,
  loopbackOpener,
  rejection,
  scriptedOpener,
  scriptedStream,
  type TestOpener,
} from "./streams.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

let server: Server;
let opener: TestOpener;
let handlers: Record<string, Handler>;

beforeEach(async () => {
  handlers = {};
  server = await listen(
    createServer((request, response) => {
      const path = (request.url as string).split("?")[0] as string;
      const handler = handlers[`${request.headers.host}${path}`] ?? handlers[path];
      if (handler === undefined) response.writeHead(404).end("no such page");
      else handler(request, response);
    }),
  );
  opener = loopbackOpener(server);
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const get = (url: string, init?: Parameters<typeof torFetch>[2]) => torFetch(opener, url, init);

async function requestBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

describe("a fetch", () => {
  it("gives a real Response", async () => {
    handlers["/page"] = (_, response) => response.setHeader("X-A", "1").end("hello");
    const response = await get("http://site.example/page?q#frag");
    expect(response).toBeInstanceOf(Response);
    expect([response.status, response.statusText, response.ok]).toEqual([200, "OK", true]);
    expect([response.url, response.redirected]).toEqual(["http://site.example/page?q", false]);
    expect(response.headers.get("x-a")).toBe("1");
    expect(await response.text()).toBe("hello");
    expect(opener.requests).toMatchObject([{ hostname: "site.example", port: 80 }]);
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("gives a clone that knows as much", async () => {
    handlers["/"] = (_, response) => response.setHeader("Set-Cookie", ["a=1", "b=2"]).end("hello");
    const response = await get("http://site.example/");
    const clone = response.clone().clone();
    expect(clone.url).toBe("http://site.example/");
    expect(clone.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect([await response.text(), await clone.text()]).toEqual(["hello", "hello"]);
  });

  it("moves large bodies both ways unharmed", async () => {
    const bytes = new Uint8Array(3_000_000).map((_, i) => (i * 7) % 253);
    handlers["/echo"] = (request, response) => request.pipe(response);
    for (const body of [bytes, new Blob([bytes]), new Blob([bytes]).stream()]) {
      const response = await get("http://site.example/echo", { method: "POST", body, duplex: "half" });
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    }
  });

  it("is whole when data and the end come in one flight", async () => {
    const text = "HTTP/1.1 200 OK\r\n\r\nhello";
    const response = await torFetch(
      scriptedOpener(() => scriptedStream(cut(text, text.length))),
      "http://a.example/",
    );
    expect(await response.text()).toBe("hello");
  });

  it("has no body where there is none", async () => {
    handlers["/204"] = (_, response) => response.writeHead(204).end();
    handlers["/205"] = (_, response) => response.writeHead(205, { "Content-Length": "4" }).end("body");
    handlers["/304"] = (_, response) => response.writeHead(304).end();
    handlers["/head"] = (_, response) => response.writeHead(200, { "Content-Length": "99" }).end();
    for (const path of ["/204", "/205", "/304"]) {
      expect((await get(`http://site.example${path}`)).body).toBeNull();
    }
    const head = await get("http://site.example/head", { method: "head" });
    expect([head.body, head.headers.get("content-length")]).toEqual([null, "99"]);
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("sends a form that a server can read", async () => {
    handlers["/form"] = async (request, response) => {
      const form = await new Response(new Uint8Array(await requestBody(request)), {
        headers: { "Content-Type": request.headers["content-type"] as string },
      }).formData();
      response.end(JSON.stringify([form.get("a"), await (form.get("f") as File).text()]));
    };
    const body = new FormData();
    body.append("a", "ü");
    body.append("f", new Blob(["data"]), "name");
    const response = await get("http://site.example/form", { method: "POST", body });
    expect(await response.json()).toEqual(["ü", "data"]);
  });

  it("gets the answer of a server that refuses the body and goes", async () => {
    handlers["/full"] = (_, response) => {
      response.writeHead(413, { Connection: "close" }).end("too much", () => response.destroy());
    };
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    const response = await get("http://site.example/full", { method: "POST", body: endless, duplex: "half" });
    expect([response.status, await response.text()]).toEqual([413, "too much"]);
  });
});

describe("content codings", () => {
  const text = "compress me ".repeat(50_000);
  const forms: Record<string, [coding: string, body: Uint8Array]> = {
    gzip: ["gzip", gzipSync(text)],
    "x-gzip in capitals": ["X-GZIP", gzipSync(text)],
    "deflate in the zlib format": ["deflate", deflateSync(text)],
    "bare deflate": ["deflate", deflateRawSync(text)],
    "no coding by name": ["identity", Buffer.from(text)],
  };
  for (const [name, [coding, body]] of Object.entries(forms)) {
    it(`${name} is undone`, async () => {
      handlers["/"] = (_, response) => response.setHeader("Content-Encoding", coding).end(body);
      const response = await get("http://site.example/");
      expect(await response.text()).toBe(text);
      expect(response.headers.get("content-encoding")).toBe(coding);
      await expect.poll(() => opener.open()).toBe(0);
    });
  }

  it("that we do not know leaves the body as it is", async () => {
    handlers["/"] = (_, response) => response.setHeader("Content-Encoding", "br").end("raw");
    expect(await (await get("http://site.example/")).text()).toBe("raw");
  });

  it("of an empty body is nothing", async () => {
    handlers["/"] = (_, response) => response.setHeader("Content-Encoding", "gzip").end();
    expect(await (await get("http://site.example/")).text()).toBe("");
  });

  it("that lie, end early or go on after their end are an error of the body", async () => {
    const whole = gzipSync("hello hello hello");
    for (const body of [
      Buffer.from("not gzip at all"),
      whole.subarray(0, -9),
      Buffer.concat([whole, whole.subarray(5)]),
    ]) {
      handlers["/"] = (_, response) => response.setHeader("Content-Encoding", "gzip").end(body);
      const error = await rejection((await get("http://site.example/")).text());
      expect(error).toMatchObject({ kind: "protocol-violation", code: "ALLIUM_E_HTTP_CODING" });
      expect(error).toBeInstanceOf(TypeError);
      await expect.poll(() => opener.open()).toBe(0);
    }
  });

  it("whose stream breaks off report that", async () => {
    handlers["/"] = (_, response) => {
      response.writeHead(200, { "Content-Encoding": "gzip", "Content-Length": "10000" });
      response.write(gzipSync(text).subarray(0, 200), () => setTimeout(() => response.socket?.end(), 10));
    };
    const error = await rejection((await get("http://site.example/")).text());
    expect(error).toMatchObject({ code: "ALLIUM_E_HTTP_TRUNCATED" });
  });

  it("on top of each other are refused", async () => {
    handlers["/"] = (_, response) =>
      response.setHeader("Content-Encoding", "gzip, gzip").end(gzipSync(gzipSync("x")));
    expect(await rejection(get("http://site.example/"))).toMatchObject({ kind: "limit" });
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("of a bomb are undone only as far as the reader goes", async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    let taken = 0;
    const chunks = (function* () {
      yield* cut("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", "each");
      for (let at = 0; at < bomb.length; at += 4096) {
        taken++;
        yield new Uint8Array(bomb.subarray(at, at + 4096));
      }
    })();
    const response = await torFetch(
      scriptedOpener(() => scriptedStream(chunks, "open")),
      "http://a.example/",
    );
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 30));
    // Node holds 64 KiB of it besides, still coded.
    expect(taken).toBeLessThan(25);
    await reader.cancel();
  });
});

describe("what fetch refuses", () => {
  const refusals: [what: string, url: string, code: string][] = [
    ["https: for now", "https://a.example/", "ALLIUM_E_HTTPS_UNSUPPORTED"],
    ["other schemes", "ftp://a.example/", "ALLIUM_E_FETCH_SCHEME"],
    ["data:", "data:text/plain,x", "ALLIUM_E_FETCH_SCHEME"],
    ["a relative URL", "/page", "ALLIUM_E_FETCH_URL"],
    ["a URL with a user", "http://user@a.example/", "ALLIUM_E_FETCH_CREDENTIALS"],
    ["a URL with a password", "http://:secret@a.example/", "ALLIUM_E_FETCH_CREDENTIALS"],
    ["a mail server", "http://a.example:25/", "ALLIUM_E_FETCH_PORT"],
    ["an IRC server", "http://a.example:6667/", "ALLIUM_E_FETCH_PORT"],
    ["port 0", "http://a.example:0/", "ALLIUM_E_FETCH_PORT"],
  ];
  for (const [what, url, code] of refusals) {
    it(what, async () => {
      const error = await rejection(get(url));
      expect(error).toBeInstanceOf(TorFetchError);
      expect(error).toBeInstanceOf(TypeError);
      expect(isTorError(error)).toBe(true);
      expect(error).toMatchObject({ kind: "bad-api-usage", code });
      expect(opener.requests).toEqual([]);
    });
  }

  const inits: [what: string, init: RequestInit][] = [
    ["CONNECT", { method: "CONNECT" }],
    ["trace", { method: "trace" }],
    ["a method that is none", { method: "GET / HTTP/1.1\r\nX: " }],
    ["a header that is none", { headers: { "a\r\nb": "1" } }],
    ["a value with a line end", { headers: { a: "1\r\nb: 2" } }],
    ["GET with a body", { body: "x" }],
    ["HEAD with a body", { method: "HEAD", body: "x" }],
    ["an unknown redirect mode", { redirect: "maybe" as "follow" }],
    ["an integrity that it would not check", { integrity: "sha256-AAAA" }],
  ];
  for (const [what, init] of inits) {
    it(what, async () => {
      const error = await rejection(get("http://a.example/", init));
      expect(error).toMatchObject({ kind: "bad-api-usage", code: "ALLIUM_E_FETCH_INIT" });
      expect(opener.requests).toEqual([]);
    });
  }

  it("a body stream that somebody else reads", async () => {
    const body = new ReadableStream();
    body.getReader();
    const error = await rejection(get("http://a.example/", { method: "POST", body, duplex: "half" }));
    expect(error).toMatchObject({ kind: "bad-api-usage" });
  });

  it("and what the network refuses keeps its kind", async () => {
    const refusal = new TorError("exit-policy", "ALLIUM_E_TEST", "no exit", { retryAfter: 5 });
    const error = await rejection(
      torFetch({ openStream: () => Promise.reject(refusal) }, "http://a.example/"),
    );
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({
      kind: "exit-policy",
      code: "ALLIUM_E_TEST",
      retryAfter: 5,
      cause: refusal,
    });
  });

  it("a malformed response, also behind a server that keeps the connection", async () => {
    const stream = scriptedStream(cut("SSH-2.0\r\n", 4), "open");
    const error = await rejection(
      torFetch(
        scriptedOpener(() => stream),
        "http://a.example/",
      ),
    );
    expect(error).toMatchObject({ kind: "protocol-violation", code: "ALLIUM_E_HTTP_STATUS_LINE" });
    expect(stream.closedWith.length).toBe(1);
  });
});

describe("redirects", () => {
  const echo: Handler = async (request, response) => {
    const { authorization, cookie, "content-type": type } = request.headers;
    const body = (await requestBody(request)).toString();
    response.end(JSON.stringify({ method: request.method, body, authorization, cookie, type }));
  };
  const to =
    (status: number, location: string): Handler =>
    async (request, response) => {
      await requestBody(request);
      response.writeHead(status, { Location: location }).end("moved");
    };

  beforeEach(() => {
    handlers["/end"] = echo;
  });

  it("are followed, relative or not, and the Response says so", async () => {
    handlers["/a/b"] = to(302, "../c?x#y");
    handlers["/c"] = to(307, "//other.example:8080/end");
    const response = await get("http://site.example/a/b", { isolation: "key" });
    expect([response.url, response.redirected]).toEqual(["http://other.example:8080/end", true]);
    expect(opener.requests).toMatchObject([
      { hostname: "site.example", port: 80, isolation: "key" },
      { hostname: "site.example", port: 80, isolation: "key" },
      { hostname: "other.example", port: 8080, isolation: "key" },
    ]);
    await response.text();
    await expect.poll(() => opener.open()).toBe(0);
  });

  const rewrites: [status: number, method: string, after: string][] = [
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [307, "POST", "POST"],
    [308, "POST", "POST"],
    [301, "PUT", "PUT"],
    [302, "PATCH", "PATCH"],
    [303, "PUT", "GET"],
    [303, "DELETE", "GET"],
    [307, "PUT", "PUT"],
  ];
  for (const [status, method, after] of rewrites) {
    it(`${status} turns ${method} into ${after}`, async () => {
      handlers["/from"] = to(status, "/end");
      const response = await get("http://site.example/from", { method, body: "data" });
      const seen = (await response.json()) as Record<string, string>;
      expect(seen).toMatchObject({ method: after, body: after === "GET" ? "" : "data" });
      expect(seen.type).toBe(after === "GET" ? undefined : "text/plain;charset=UTF-8");
    });
  }

  it("303 leaves HEAD as it is", async () => {
    handlers["/from"] = to(303, "/end");
    let seen: string | undefined;
    handlers["/end"] = (request, response) => {
      seen = request.method;
      response.end();
    };
    await get("http://site.example/from", { method: "HEAD" });
    expect(seen).toBe("HEAD");
  });

  it("to the same origin keep credentials, to another one lose them", async () => {
    const headers = { Authorization: "Basic x", Cookie: "a=1" };
    handlers["/same"] = to(302, "http://site.example/end");
    for (const location of [
      "http://other.example/end",
      "http://site.example:81/end",
      "http://sub.site.example/end",
    ]) {
      handlers["/other"] = to(302, location);
      const other = await (await get("http://site.example/other", { headers })).json();
      expect(other).toEqual({ method: "GET", body: "" });
    }
    const same = await (await get("http://site.example/same", { headers })).json();
    expect(same).toMatchObject({ authorization: "Basic x", cookie: "a=1" });
  });

  it("with an unsendable body are followed only by 303", async () => {
    const init = () => ({ method: "POST", body: new Blob(["data"]).stream(), duplex: "half" as const });
    handlers["/303"] = to(303, "/end");
    expect(await (await get("http://site.example/303", init())).json()).toMatchObject({
      method: "GET",
      body: "",
    });
    for (const status of [301, 302, 307, 308]) {
      handlers["/from"] = to(status, "/end");
      const error = await rejection(get("http://site.example/from", init()));
      expect(error).toMatchObject({ code: "ALLIUM_E_REDIRECT_BODY" });
    }
  });

  it("stop after twenty", async () => {
    handlers["/loop"] = (request, response) => {
      const left = Number(new URL(request.url as string, "http://x").searchParams.get("left"));
      response.writeHead(302, { Location: left > 1 ? `/loop?left=${left - 1}` : "/end" }).end();
    };
    expect((await get("http://site.example/loop?left=20")).status).toBe(200);
    const error = await rejection(get("http://site.example/loop?left=21"));
    expect(error).toMatchObject({ kind: "limit", code: "ALLIUM_E_REDIRECT_LIMIT" });
    expect(error).toBeInstanceOf(TypeError);
    await expect.poll(() => opener.open()).toBe(0);
  });

  const targets: [location: string, code: string][] = [
    ["https://site.example/", "ALLIUM_E_HTTPS_UNSUPPORTED"],
    ["ftp://site.example/", "ALLIUM_E_REDIRECT_TARGET"],
    ["data:text/html,x", "ALLIUM_E_REDIRECT_TARGET"],
    ["javascript:alert(1)", "ALLIUM_E_REDIRECT_TARGET"],
    ["http://user:pw@site.example/", "ALLIUM_E_REDIRECT_TARGET"],
    ["http://site.example:25/", "ALLIUM_E_REDIRECT_TARGET"],
    ["http://[bad/", "ALLIUM_E_REDIRECT_LOCATION"],
  ];
  for (const [location, code] of targets) {
    it(`to ${location} are refused`, async () => {
      handlers["/from"] = to(302, location);
      const error = await rejection(get("http://site.example/from"));
      expect(error).toMatchObject({ code });
      expect(opener.requests.length).toBe(1);
      await expect.poll(() => opener.open()).toBe(0);
    });
  }

  it("to two places are refused", async () => {
    const text = "HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    const stream = scriptedStream(cut(text, 9));
    const error = await rejection(
      torFetch(
        scriptedOpener(() => stream),
        "http://a.example/",
      ),
    );
    expect(error).toMatchObject({ code: "ALLIUM_E_REDIRECT_LOCATION" });
  });

  it("are an error or the answer itself when the caller says so", async () => {
    handlers["/from"] = to(302, "/end");
    const error = await rejection(get("http://site.example/from", { redirect: "error" }));
    expect(error).toMatchObject({ code: "ALLIUM_E_REDIRECT_ERROR" });
    const manual = await get("http://site.example/from", { redirect: "manual" });
    expect([manual.status, manual.headers.get("location"), manual.redirected]).toEqual([302, "/end", false]);
    expect(await manual.text()).toBe("moved");
  });

  it("that name no place are the answer", async () => {
    handlers["/from"] = (_, response) => response.writeHead(302).end("nowhere");
    expect(await (await get("http://site.example/from")).text()).toBe("nowhere");
  });

  it("may name their place in UTF-8", async () => {
    const location = Buffer.from("HTTP/1.1 302 Found\r\nLocation: /ü\r\nContent-Length: 0\r\n\r\n");
    let asked = 0;
    const mixed = scriptedOpener(() => {
      asked++;
      return scriptedStream(asked === 1 ? [new Uint8Array(location)] : cut("HTTP/1.1 200 OK\r\n\r\nok", 1));
    });
    expect((await torFetch(mixed, "http://a.example/")).url).toBe("http://a.example/%C3%BC");
  });
});

describe("an abort", () => {
  const reason = { my: "reason" };

  it("before anything rejects with its reason and opens nothing", async () => {
    expect(await rejection(get("http://a.example/", { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const error = await rejection(get("http://a.example/", { signal: AbortSignal.abort() }));
    expect(error.name).toBe("AbortError");
    expect(opener.requests).toEqual([]);
  });

  it("while the request's body is collected", async () => {
    const controller = new AbortController();
    const body = new ReadableStream({ pull: () => controller.abort(reason) }, { highWaterMark: 0 });
    const request = new Request("http://a.example/", { method: "POST", body, duplex: "half" } as RequestInit);
    expect(await rejection(torFetch(opener, request, { signal: controller.signal }))).toBe(reason);
    expect(opener.requests).toEqual([]);
  });

  it("while the stream opens, and a stream that comes too late is closed", async () => {
    const controller = new AbortController();
    const late = scriptedStream([], "open");
    let give = () => {};
    const slow = {
      openStream: () =>
        new Promise<typeof late>((resolve) => {
          give = () => resolve(late);
        }),
    };
    const pending = rejection(torFetch(slow, "http://a.example/", { signal: controller.signal }));
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    expect(await pending).toBe(reason);
    give();
    await late.closed;
    expect(late.closedWith.length).toBe(1);
  });

  it("while the response is awaited", async () => {
    const controller = new AbortController();
    handlers["/"] = () => controller.abort(reason);
    expect(await rejection(get("http://a.example/", { signal: controller.signal }))).toBe(reason);
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("while the request's body is sent, and its source is cancelled", async () => {
    const controller = new AbortController();
    let cancelled: unknown;
    const body = new ReadableStream({
      pull(own) {
        own.enqueue(new Uint8Array(1000));
      },
      cancel(why) {
        cancelled = why;
      },
    });
    handlers["/"] = (request) => request.once("data", () => controller.abort(reason));
    const init = { method: "POST", body, duplex: "half" as const, signal: controller.signal };
    expect(await rejection(get("http://a.example/", init))).toBe(reason);
    await expect.poll(() => cancelled).toBeDefined();
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("while the response's body is read", async () => {
    const controller = new AbortController();
    handlers["/"] = (_, response) => response.write("first");
    const response = await get("http://a.example/", { signal: controller.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toBe("first");
    const pending = rejection(reader.read());
    controller.abort(reason);
    expect(await pending).toBe(reason);
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("before the response's body is read", async () => {
    const controller = new AbortController();
    handlers["/"] = (_, response) => response.end("all of it");
    const response = await get("http://a.example/", { signal: controller.signal });
    controller.abort(reason);
    expect(await rejection(response.text())).toBe(reason);
  });

  it("by the Request's own signal, unless init takes it away", async () => {
    const controller = new AbortController();
    handlers["/"] = (_, response) => response.end("ok");
    const request = new Request("http://a.example/", { signal: controller.signal });
    controller.abort(reason);
    expect(await rejection(torFetch(opener, request))).toBe(reason);
    expect(await (await torFetch(opener, request, { signal: null })).text()).toBe("ok");
  });

  it("after the end changes nothing", async () => {
    const controller = new AbortController();
    handlers["/"] = (_, response) => response.end("ok");
    const response = await get("http://a.example/", { signal: controller.signal });
    const text = response.text();
    expect(await text).toBe("ok");
    controller.abort(reason);
  });
});

describe("back-pressure", () => {
  it("of an unread body stops the server, and reading lets it go on", async () => {
    const chunk = Buffer.alloc(65_536);
    let sent = 0;
    handlers["/"] = async (_, response) => {
      for (; sent < 1600; sent++) {
        if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve));
      }
      response.end();
    };
    const response = await get("http://a.example/");
    let before = -1;
    const stands = () => {
      const same = before === sent;
      before = sent;
      return same;
    };
    await expect.poll(stands, { interval: 40, timeout: 5000 }).toBe(true);
    expect(sent).toBeLessThan(400);
    expect((await response.arrayBuffer()).byteLength).toBe(1600 * 65_536);
  });

  it("of a body takes nothing from the stream that nobody asks for", async () => {
    const text = `HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${"x".repeat(100)}`;
    const stream = scriptedStream(cut(text, "each"));
    const response = await torFetch(
      scriptedOpener(() => stream),
      "http://a.example/",
    );
    const head = text.length - 100;
    await new Promise((resolve) => setImmediate(resolve));
    expect(stream.reads).toBe(head);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await new Promise((resolve) => setImmediate(resolve));
    expect(stream.reads).toBe(head + 1);
  });

  it("of the server reaches the source of the request's body", async () => {
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(own) {
          pulled++;
          own.enqueue(new Uint8Array(65_536));
        },
      },
      { highWaterMark: 0 },
    );
    let writes = 0;
    const never = new Promise<void>(() => {});
    const stream = scriptedStream([], "open");
    const blocked = { ...stream, write: () => (writes++ === 0 ? Promise.resolve() : never) };
    const controller = new AbortController();
    const init = { method: "POST", body, duplex: "half" as const, signal: controller.signal };
    const pending = rejection(
      torFetch(
        scriptedOpener(() => blocked),
        "http://a.example/",
        init,
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(pulled).toBe(1);
    controller.abort();
    await pending;
  });

  it("and cancelling a body closes its stream", async () => {
    handlers["/"] = (_, response) => response.write("first");
    const response = await get("http://a.example/");
    await response.body?.cancel("enough");
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("and the chunks of a body own their buffers", async () => {
    const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
    const response = await torFetch(
      scriptedOpener(() => scriptedStream(cut(text, text.length))),
      "http://a.example/",
    );
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const first = (await reader.read()).value as Uint8Array;
    structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] });
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("cd");
  });
});
