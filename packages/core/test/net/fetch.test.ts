// fetch against a real HTTP server: what it gives, what it undoes, what it refuses.

import { describe, expect, it } from "vitest";
import { isTorError, TorError } from "../../src/base/errors.ts";
import type { TorFetchInit } from "../../src/net/fetch.ts";
import { TorFetchError } from "../../src/net/fetch-error.ts";
import { cut, rejection, scriptedOpener, scriptedStream, torFetch, withoutTls } from "./streams.ts";
import { requestBody, webForEachTest } from "./web.ts";

const web = webForEachTest();

describe("a fetch", () => {
  it("gives a real Response", async () => {
    web.handlers["/page"] = (_, response) => response.setHeader("X-A", "1").end("hello");
    const response = await web.get("http://site.example/page?q#frag");
    expect(response).toBeInstanceOf(Response);
    expect([response.status, response.statusText, response.ok]).toEqual([200, "OK", true]);
    expect([response.url, response.redirected]).toEqual(["http://site.example/page?q", false]);
    expect(response.headers.get("x-a")).toBe("1");
    expect(await response.text()).toBe("hello");
    expect(web.opener.requests).toMatchObject([{ hostname: "site.example", port: 80 }]);
    expect(web.opener.open()).toBe(1);
  });

  it("gives a clone that knows as much", async () => {
    web.handlers["/"] = (_, response) => response.setHeader("Set-Cookie", ["a=1", "b=2"]).end("hello");
    const response = await web.get("http://site.example/");
    const clone = response.clone().clone();
    expect(clone.url).toBe("http://site.example/");
    expect(clone.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect([await response.text(), await clone.text()]).toEqual(["hello", "hello"]);
  });

  it("moves large bodies both ways unharmed", async () => {
    const bytes = new Uint8Array(3_000_000).map((_, i) => (i * 7) % 253);
    web.handlers["/echo"] = (request, response) => request.pipe(response);
    for (const body of [bytes, new Blob([bytes]), new Blob([bytes]).stream()]) {
      const response = await web.get("http://site.example/echo", { method: "POST", body, duplex: "half" });
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
    web.handlers["/204"] = (_, response) => response.writeHead(204).end();
    web.handlers["/205"] = (_, response) => response.writeHead(205, { "Content-Length": "4" }).end("body");
    web.handlers["/304"] = (_, response) => response.writeHead(304).end();
    web.handlers["/head"] = (_, response) => response.writeHead(200, { "Content-Length": "99" }).end();
    for (const path of ["/204", "/205", "/304"]) {
      expect((await web.get(`http://site.example${path}`)).body).toBeNull();
    }
    const head = await web.get("http://site.example/head", { method: "head" });
    expect([head.body, head.headers.get("content-length")]).toEqual([null, "99"]);
    expect(web.opener.open()).toBe(1);
  });

  it("sends a form that a server can read", async () => {
    web.handlers["/form"] = async (request, response) => {
      const form = await new Response(new Uint8Array(await requestBody(request)), {
        headers: { "Content-Type": request.headers["content-type"] as string },
      }).formData();
      response.end(JSON.stringify([form.get("a"), await (form.get("f") as File).text()]));
    };
    const body = new FormData();
    body.append("a", "ü");
    body.append("f", new Blob(["data"]), "name");
    const response = await web.get("http://site.example/form", { method: "POST", body });
    expect(await response.json()).toEqual(["ü", "data"]);
  });

  it("gets the answer of a server that refuses the body and goes", async () => {
    web.handlers["/full"] = (_, response) => {
      response.writeHead(413, { Connection: "close" }).end("too much", () => response.destroy());
    };
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    const response = await web.get("http://site.example/full", {
      method: "POST",
      body: endless,
      duplex: "half",
    });
    expect([response.status, await response.text()]).toEqual([413, "too much"]);
  });
});

describe("what fetch refuses", () => {
  const refusals: [what: string, url: string, code: string][] = [
    ["other schemes", "ftp://a.example/", "ALLIUM_E_FETCH_SCHEME"],
    ["blob:", "blob:http://a.example/uuid", "ALLIUM_E_FETCH_SCHEME"],
    ["about:", "about:blank", "ALLIUM_E_FETCH_SCHEME"],
    ["a data: URL without a comma", "data:text/plain", "ALLIUM_E_FETCH_URL"],
    ["a data: URL whose base64 is none", "data:;base64,a", "ALLIUM_E_FETCH_URL"],
    ["wss:", "wss://a.example/", "ALLIUM_E_FETCH_SCHEME"],
    ["a relative URL", "/page", "ALLIUM_E_FETCH_URL"],
    ["a URL with a user", "http://user@a.example/", "ALLIUM_E_FETCH_CREDENTIALS"],
    ["a URL with a password", "http://:secret@a.example/", "ALLIUM_E_FETCH_CREDENTIALS"],
    ["a mail server", "http://a.example:25/", "ALLIUM_E_FETCH_PORT"],
    ["an IRC server", "http://a.example:6667/", "ALLIUM_E_FETCH_PORT"],
    ["port 0", "http://a.example:0/", "ALLIUM_E_FETCH_PORT"],
  ];
  for (const [what, url, code] of refusals) {
    it(what, async () => {
      const error = await rejection(web.get(url));
      expect(error).toBeInstanceOf(TorFetchError);
      expect(error).toBeInstanceOf(TypeError);
      expect(isTorError(error)).toBe(true);
      expect(error).toMatchObject({ kind: "bad-api-usage", code });
      expect(web.opener.requests).toEqual([]);
    });
  }

  const inits: [what: string, init: TorFetchInit][] = [
    ["CONNECT", { method: "CONNECT" }],
    ["trace", { method: "trace" }],
    ["a method that is none", { method: "GET / HTTP/1.1\r\nX: " }],
    ["a header that is none", { headers: { "a\r\nb": "1" } }],
    ["a value with a line end", { headers: { a: "1\r\nb: 2" } }],
    ["GET with a body", { body: "x" }],
    ["HEAD with a body", { method: "HEAD", body: "x" }],
    ["an unknown redirect mode", { redirect: "maybe" as "follow" }],
    ["an integrity that it would not check", { integrity: "md5-AAAA" }],
    ["a timeout that is none", { timeout: Number.NaN }],
    ["a timeout of nothing", { timeout: 0 }],
  ];
  for (const [what, init] of inits) {
    it(what, async () => {
      const error = await rejection(web.get("http://a.example/", init));
      expect(error).toMatchObject({ kind: "bad-api-usage", code: "ALLIUM_E_FETCH_INIT" });
      expect(web.opener.requests).toEqual([]);
    });
  }

  it("a body stream that somebody else reads", async () => {
    const body = new ReadableStream();
    body.getReader();
    const error = await rejection(web.get("http://a.example/", { method: "POST", body, duplex: "half" }));
    expect(error).toMatchObject({ kind: "bad-api-usage" });
  });

  it("and what the network refuses keeps its kind", async () => {
    const refusal = new TorError("exit-policy", "ALLIUM_E_TEST", "no exit", { retryAfter: 5 });
    const error = await rejection(
      torFetch(withoutTls({ openStream: () => Promise.reject(refusal) }), "http://a.example/"),
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
