// Requests as bytes: what is written, in which order, and what must never be.

import { describe, expect, it } from "vitest";
import { withIdleLimit } from "../../src/net/http/idle.ts";
import { extractBody } from "../../src/net/http/request-body.ts";
import { writeRequestHead } from "../../src/net/http/request-head.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { cut, http1, rejection, scriptedOpener, scriptedStream, torFetch } from "./streams.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const plain = { method: "GET", target: "/", host: "example.com", fields: [], bodyLength: undefined };

async function wire(url: string, init: RequestInit & { duplex?: "half" } = {}): Promise<string> {
  const stream = scriptedStream(cut(OK, OK.length));
  await (
    await torFetch(
      scriptedOpener(() => stream),
      url,
      init,
    )
  ).text();
  // The response is there at once; the request goes on behind it.
  await stream.closed;
  return stream.text();
}

describe("the request head", () => {
  it("is the same for everybody: nothing that was not asked for", async () => {
    expect(await wire("http://Example.COM/a b?q=ü#frag")).toBe(
      "GET /a%20b?q=%C3%BC HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive\r\n" +
        "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
    );
  });

  it("has the caller's fields sorted and spelled alike, whatever their order", async () => {
    const one = await wire("http://a.example:8080/", {
      headers: { "x-b": "2", Accept: "text/html", "X-A": "1" },
    });
    const two = await wire("http://a.example:8080/", {
      headers: { "X-a": "1", "X-B": "2", accept: "text/html" },
    });
    expect(one).toBe(two);
    expect(one).toBe(
      "GET / HTTP/1.1\r\nHost: a.example:8080\r\nConnection: keep-alive\r\nAccept-Encoding: gzip, deflate\r\n" +
        "Accept: text/html\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
    );
  });

  it("passes over fields that belong to the connection", async () => {
    const headers = Object.fromEntries(
      [
        "Host",
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Via",
      ]
        .concat([
          "Keep-Alive",
          "Proxy-Authorization",
          "Proxy-Connection",
          "Accept-Encoding",
          "HTTP2-Settings",
        ])
        .map((name) => [name, "7"]),
    );
    expect(await wire("http://example.com/", { headers })).toBe(await wire("http://example.com/"));
  });

  it("sends what names the caller only when the caller gives it", async () => {
    const text = await wire("http://example.com/", {
      headers: { Origin: "http://o.example", Referer: "http://r.example/", "User-Agent": "u", Cookie: "a=1" },
    });
    for (const line of [
      "Origin: http://o.example",
      "Referer: http://r.example/",
      "User-Agent: u",
      "Cookie: a=1",
    ]) {
      expect(text).toContain(`\r\n${line}\r\n`);
    }
  });

  it("asks for no coding when it asks for a range", async () => {
    const text = await wire("http://example.com/", { headers: { Range: "bytes=0-1" } });
    expect(text).toContain("\r\nAccept-Encoding: identity\r\n");
  });

  it("brackets an IPv6 host, and the stream is asked for without them", async () => {
    const stream = scriptedStream(cut(OK, 1));
    let asked: unknown;
    const opener = scriptedOpener((request) => {
      asked = request;
      return stream;
    });
    await torFetch(opener, "http://[2001:DB8::1]:81/", { isolation: "key" });
    expect(asked).toMatchObject({ hostname: "2001:db8::1", port: 81, isolation: "key" });
    expect(stream.text()).toContain("\r\nHost: [2001:db8::1]:81\r\n");
  });

  for (const bad of ["a\r\nX: 1", "a\nb", "a\rb", "a\0b", "a\x7fb"]) {
    it(`refuses ${JSON.stringify(bad)} wherever it might stand`, () => {
      for (const head of [
        { ...plain, method: bad },
        { ...plain, target: `/${bad}` },
        { ...plain, host: bad },
        { ...plain, fields: [[bad, "1"] as const] },
        { ...plain, fields: [["x", bad] as const] },
      ]) {
        expect(() => writeRequestHead(head)).toThrow(
          expect.objectContaining({ code: "ALLIUM_E_HTTP_REQUEST" }),
        );
      }
    });
  }

  it("refuses a target or a host with a space, and an empty one", () => {
    for (const head of [
      { ...plain, target: "/a b" },
      { ...plain, host: "a b" },
      { ...plain, target: "" },
    ]) {
      expect(() => writeRequestHead(head)).toThrow(expect.objectContaining({ kind: "bad-api-usage" }));
    }
  });
});

async function bodyOf(body: RequestInit["body"], headers?: Record<string, string>) {
  const text = await wire("http://example.com/", {
    method: "POST",
    body: body ?? null,
    ...(headers && { headers }),
  });
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end);
  return {
    type: /\r\nContent-Type: (.*)/.exec(head)?.[1],
    length: /\r\nContent-Length: (.*)/.exec(head)?.[1],
    chunked: head.includes("\r\nTransfer-Encoding: chunked"),
    body: text.slice(end + 4),
  };
}

describe("the request body", () => {
  it("of text is UTF-8", async () => {
    const expected = { type: "text/plain;charset=UTF-8", length: "3", chunked: false, body: "aÃ¼" };
    expect(await bodyOf("aü")).toEqual(expected);
  });

  it("of parameters is a form", async () => {
    expect(await bodyOf(new URLSearchParams({ a: "1 2", b: "&" }))).toEqual({
      type: "application/x-www-form-urlencoded;charset=UTF-8",
      length: "11",
      chunked: false,
      body: "a=1+2&b=%26",
    });
  });

  it("of bytes is a copy, the view's part of its buffer alone", async () => {
    const bytes = new TextEncoder().encode("xhellox");
    const body = extractBody(bytes.subarray(1, 6));
    bytes.fill(0);
    const { value } = await body.open().getReader().read();
    expect(new TextDecoder().decode(value)).toBe("hello");
    expect(await bodyOf(bytes.buffer)).toMatchObject({ length: "7", type: undefined });
  });

  it("of a Blob has its type", async () => {
    expect(await bodyOf(new Blob(["hello"], { type: "image/x" }))).toMatchObject({
      type: "image/x",
      body: "hello",
    });
    expect(await bodyOf(new Blob(["hello"], { type: "image/x" }), { "Content-Type": "a/b" })).toMatchObject({
      type: "a/b",
    });
  });

  it("of a form is multipart, its names escaped, its line ends CRLF, its length known", async () => {
    const form = new FormData();
    form.append('a"\n', "1\n2");
    form.append("file", new Blob(["data"], { type: "image/x" }), 'f"\r\n.x');
    form.append("untyped", new Blob(["x"]));
    const { type, length, body } = await bodyOf(form);
    const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(type ?? "")?.[1];
    expect(body).toBe(
      [
        `--${boundary}`,
        'Content-Disposition: form-data; name="a%22%0D%0A"',
        "",
        "1\r\n2",
        `--${boundary}`,
        'Content-Disposition: form-data; name="file"; filename="f%22%0D%0A.x"',
        "Content-Type: image/x",
        "",
        "data",
        `--${boundary}`,
        'Content-Disposition: form-data; name="untyped"; filename="blob"',
        "Content-Type: application/octet-stream",
        "",
        "x",
        `--${boundary}--`,
        "",
      ].join("\r\n"),
    );
    expect(length).toBe(String(body.length));
  });

  it("of a stream is chunked, without empty chunks", async () => {
    const parts = ["hello", "", "x".repeat(20)].map((text) => new TextEncoder().encode(text));
    const stream = new ReadableStream({
      pull(controller) {
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    });
    expect(await bodyOf(stream)).toEqual({
      type: undefined,
      length: undefined,
      chunked: true,
      body: `5\r\nhello\r\n14\r\n${"x".repeat(20)}\r\n0\r\n\r\n`,
    });
  });

  it("that is missing is announced as empty where the method usually has one", async () => {
    expect(await bodyOf(undefined)).toMatchObject({ length: "0", body: "" });
    expect(await wire("http://example.com/", { method: "DELETE" })).not.toContain("Content-Length");
  });

  it("leaves in one write with the head when it is short", async () => {
    const stream = scriptedStream(cut(OK, 1));
    await torFetch(
      scriptedOpener(() => stream),
      "http://example.com/",
      { method: "POST", body: "short" },
    );
    expect(stream.written.length).toBe(1);
  });

  it("is refused when it is not as long as it was said to be", async () => {
    for (const length of [4, 6]) {
      const stream = scriptedStream([], "open");
      const body = { ...extractBody("hello"), length };
      const head = { method: "POST", target: "/", host: "example.com", fields: [] };
      const error = await rejection(http1(stream).request({ head, body }));
      expect(error.code).toBe("ALLIUM_E_HTTP_REQUEST_BODY");
      expect(stream.closedWith[0]).toBe(error);
    }
  });

  it("of a Request is sent with its length, as the Request has it", async () => {
    const stream = scriptedStream(cut(OK, 1));
    const request = new Request("http://example.com/", {
      method: "put",
      body: "hello",
      headers: { "X-A": "1" },
    });
    await torFetch(
      scriptedOpener(() => stream),
      request,
    );
    expect(stream.text()).toMatch(/^PUT \/ HTTP.*X-A: 1\r\nContent-Length: 5\r\n\r\nhello$/s);
    expect(request.bodyUsed).toBe(true);
    expect(
      (
        await rejection(
          torFetch(
            scriptedOpener(() => stream),
            request,
          ),
        )
      ).kind,
    ).toBe("bad-api-usage");
  });

  it("of a long Request is streamed, nothing lost between what was looked at and the rest", async () => {
    const stream = scriptedStream(cut(OK, 1));
    const bytes = new Uint8Array(3_000_000).map((_, i) => i % 251);
    let at = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (at === bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at + 300_000));
        at = Math.min(at + 300_000, bytes.length);
      },
    });
    const request = new Request("http://example.com/", {
      method: "POST",
      body,
      duplex: "half",
    } as RequestInit);
    await (
      await torFetch(
        scriptedOpener(() => stream),
        request,
      )
    ).text();
    await expect.poll(() => stream.text().endsWith("0\r\n\r\n")).toBe(true);
    const chunks = stream.written.slice(1, -1).map((chunk) => chunk.slice(chunk.indexOf(10) + 1, -2));
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  });
});

/** Moves the clock and lets what was due run. */
async function advance(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

describe("the idle limit", () => {
  it("closes a stream on which nothing moves while we wait, and only then", async () => {
    const clock = new ManualClock();
    const inner = scriptedStream(cut("hello", "each"), "open");
    const stream = withIdleLimit(inner, clock, 1000);
    await advance(clock, 5000);
    for (let i = 0; i < 5; i++) {
      await stream.read();
      await advance(clock, 900);
    }
    expect(inner.closedWith).toEqual([]);
    const pending = rejection(stream.read());
    await advance(clock, 999);
    expect(inner.closedWith).toEqual([]);
    await advance(clock, 1001);
    expect(await pending).toMatchObject({ kind: "exit-timeout", code: "ALLIUM_E_HTTP_IDLE" });
  });
});
