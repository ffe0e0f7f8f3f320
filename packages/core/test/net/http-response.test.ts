// Responses as bytes: each way of framing, cut at each place, and each way of lying about it.

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { TorError } from "../../src/base/errors.ts";
import type { HttpResponse } from "../../src/net/http/exchange.ts";
import { cut, http1, rejection, scriptedStream } from "./streams.ts";

const head = { method: "GET", target: "/", host: "example.com", fields: [] };

async function ask(chunks: Uint8Array[], method = "GET", end: "end" | TorError = "end") {
  const stream = scriptedStream(chunks, end);
  const response = await http1(stream).request({ head: { ...head, method }, body: undefined });
  return { response, stream };
}

async function bodyText(response: HttpResponse): Promise<string | undefined> {
  if (response.body === undefined) return undefined;
  const parts: Uint8Array[] = [];
  for (let part = await response.body.next(); part !== undefined; part = await response.body.next())
    parts.push(part);
  return new TextDecoder().decode(concat(...parts));
}

async function read(text: string, method = "GET") {
  const { response } = await ask(cut(text, "each"), method);
  return { response, body: await bodyText(response) };
}

/** The code of the error that this response ends in, whether at its head or in its body. */
async function refusal(text: string, method = "GET"): Promise<string | undefined> {
  return (await rejection(read(text, method))).code;
}

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const framings: Record<string, string> = {
  "by length": `${OK}Content-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world`,
  "to the end of the stream": `${OK}Content-Type: text/plain\r\n\r\nhello world`,
  "in chunks": `${CHUNKED}5\r\nhello\r\n6;name="value"\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n`,
  "in chunks after interim responses": `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${CHUNKED}00b\r\nhello world\r\n000\r\n\r\n`,
};

describe("a response", () => {
  for (const [name, text] of Object.entries(framings)) {
    it(`framed ${name} reads the same wherever it is cut`, async () => {
      for (let at = 0; at <= text.length; at++) {
        const { response, stream } = await ask(cut(text, at));
        expect([response.status, response.statusText]).toEqual([200, "OK"]);
        expect(await bodyText(response)).toBe("hello world");
        // Kept, until the server has ended the stream.
        await stream.closed;
      }
      expect((await read(text)).body).toBe("hello world");
    });

    it(`framed ${name} is not whole when it ends early`, async () => {
      const last = text.length - (name === "to the end of the stream" ? "hello world".length : 0);
      for (let length = 0; length < last; length++) {
        expect(await refusal(text.slice(0, length)), text.slice(0, length)).toBe("ALLIUM_E_HTTP_TRUNCATED");
      }
    });
  }

  it("that goes to the end of the stream breaks off when the stream does", async () => {
    const reset = new TorError("remote-refused", "ALLIUM_E_TEST_RESET", "reset");
    const { response } = await ask(cut(`${OK}\r\nhello`, 3), "GET", reset);
    expect(await rejection(bodyText(response))).toBe(reset);
  });

  it("keeps its fields in order, names in lower case, values trimmed, bytes as chars", async () => {
    const { response } = await ask([
      ...cut(`${OK}X-A: \t one  two \t\r\nSet-Cookie: a=1\r\nSET-COOKIE: b=2\r\nEmpty:\r\nX-Raw: `, 5),
      Uint8Array.of(0xe9, 13, 10),
      ...cut("Content-Length: 0\r\n\r\n", 3),
    ]);
    expect(response.fields).toEqual([
      ["x-a", "one  two"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["empty", ""],
      ["x-raw", "é"],
      ["content-length", "0"],
    ]);
  });

  it("has no body where the method or the status allows none", async () => {
    for (const text of [`${OK}Content-Length: 5\r\n\r\n`, CHUNKED]) {
      expect((await read(text, "HEAD")).response.body).toBeUndefined();
    }
    expect((await read("HTTP/1.1 204 No Content\r\n\r\n")).response.body).toBeUndefined();
    expect(
      (await read("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n")).response.body,
    ).toBeUndefined();
  });

  it("ends at its length whatever follows", async () => {
    expect((await read(`${OK}Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n`)).body).toBe("ok");
  });

  it("may come without a reason, and from HTTP/1.0", async () => {
    expect((await read("HTTP/1.1 200\r\n\r\nx")).response.statusText).toBe("");
    expect((await read("HTTP/1.1 200 \r\n\r\nx")).response.statusText).toBe("");
    expect((await read("HTTP/1.0 404 Not Found\r\n\r\nx")).body).toBe("x");
  });
});

describe("refused with its own code", () => {
  const cases: [name: string, text: string, code: string][] = [
    ["another protocol", "SSH-2.0-OpenSSH_9\r\n", "STATUS_LINE"],
    ["HTTP/2 in plain text", "HTTP/2.0 200 OK\r\n\r\n", "STATUS_LINE"],
    ["HTTP/0.9", "<html>\r\n", "STATUS_LINE"],
    ["lower case", "http/1.1 200 OK\r\n\r\n", "STATUS_LINE"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "STATUS_LINE"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "STATUS_LINE"],
    ["status 600", "HTTP/1.1 600 OK\r\n\r\n", "STATUS_LINE"],
    ["status 099", "HTTP/1.1 099 OK\r\n\r\n", "STATUS_LINE"],
    ["NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", "STATUS_LINE"],
    ["a status line that ends in LF", "HTTP/1.1 200 OK\n\r\n", "STATUS_LINE"],
    ["a bare CR in the status line", "HTTP/1.1 200 O\rK\r\n\r\n", "STATUS_LINE"],
    ["a protocol switch nobody asked for", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "STATUS_LINE"],
    ["endless interim responses", "HTTP/1.1 100 Continue\r\n\r\n".repeat(9), "LIMIT"],
    ["a folded header", `${OK}X-A: 1\r\n 2\r\n\r\n`, "FIELD"],
    ["a header folded by a tab", `${OK}X-A: 1\r\n\t2\r\n\r\n`, "FIELD"],
    ["a first header that is folded", `${OK} X-A: 1\r\n\r\n`, "FIELD"],
    ["a header without a colon", `${OK}X-A 1\r\n\r\n`, "FIELD"],
    ["a header without a name", `${OK}: 1\r\n\r\n`, "FIELD"],
    ["a space before the colon", `${OK}Content-Length : 5\r\n\r\nhello`, "FIELD"],
    ["NUL in a value", `${OK}X-A: a\0b\r\n\r\n`, "FIELD"],
    ["a header that ends in LF", `${OK}X-A: 1\n\r\n`, "FIELD"],
    ["a bare CR in a header", `${OK}X-A: 1\rContent-Length: 5\r\n\r\n`, "FIELD"],
    ["CR CR LF", `${OK}X-A: 1\r\r\n\r\n`, "FIELD"],
    ["too many headers", `${OK}${"A: 1\r\n".repeat(257)}\r\n`, "LIMIT"],
    ["too long headers", `${OK}${`A: ${"x".repeat(60_000)}\r\n`.repeat(3)}\r\n`, "LIMIT"],
    ["an endless status line", `HTTP/1.1 200 ${"x".repeat(140_000)}`, "LIMIT"],
    ["an endless header line", `${OK}X-A: ${"x".repeat(140_000)}`, "LIMIT"],
    ["two lengths that differ", `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, "FRAMING"],
    ["two lengths that agree", `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, "FRAMING"],
    ["a list of lengths", `${OK}Content-Length: 5, 5\r\n\r\nhello`, "FIELD"],
    ["a signed length", `${OK}Content-Length: +5\r\n\r\nhello`, "FIELD"],
    ["a negative length", `${OK}Content-Length: -1\r\n\r\n`, "FIELD"],
    ["a hexadecimal length", `${OK}Content-Length: 0x5\r\n\r\nhello`, "FIELD"],
    ["an empty length", `${OK}Content-Length:\r\n\r\nhello`, "FIELD"],
    ["a length beyond 2^53", `${OK}Content-Length: 9999999999999999\r\n\r\n`, "FIELD"],
    ["length and chunks", `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, "FRAMING"],
    ["chunks and length", `${OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`, "FRAMING"],
    ["another transfer coding", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, "FRAMING"],
    ["identity", `${OK}Transfer-Encoding: identity\r\n\r\n`, "FRAMING"],
    [
      "chunked twice",
      `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      "FRAMING",
    ],
    ["chunked twice in one field", `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, "FRAMING"],
    ["chunked with a vertical tab", `${OK}Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n`, "FIELD"],
    ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "FRAMING"],
    ["a chunk without a size", `${CHUNKED}\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a chunk size with 0x", `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a signed chunk size", `${CHUNKED}+5\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a negative chunk size", `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a chunk size with spaces", `${CHUNKED}5 \r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a chunk size after a space", `${CHUNKED} 5\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a chunk size with an underscore", `${CHUNKED}1_0\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a chunk size beyond 2^53", `${CHUNKED}${"f".repeat(16)}\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a chunk size that ends in LF", `${CHUNKED}5\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a chunk longer than its size", `${CHUNKED}4\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a chunk followed by LF", `${CHUNKED}5\r\nhello\n0\r\n\r\n`, "CHUNK"],
    ["a chunk with junk before its end", `${CHUNKED}5\r\nhellox\r\n0\r\n\r\n`, "CHUNK"],
    ["a control character in an extension", `${CHUNKED}5;a=\x01\r\nhello\r\n0\r\n\r\n`, "CHUNK"],
    ["a long extension", `${CHUNKED}5;${"x".repeat(2000)}\r\nhello\r\n0\r\n\r\n`, "LIMIT"],
    ["extensions without end", `${CHUNKED}${`1;${"x".repeat(1000)}\r\na\r\n`.repeat(70)}0\r\n\r\n`, "LIMIT"],
    ["a folded trailer", `${CHUNKED}0\r\nX-A: 1\r\n 2\r\n\r\n`, "FIELD"],
    ["a malformed trailer", `${CHUNKED}0\r\nX-A 1\r\n\r\n`, "FIELD"],
    ["a length in the trailers", `${CHUNKED}0\r\nContent-Length: 5\r\n\r\n`, "FIELD"],
    ["too many trailers", `${CHUNKED}0\r\n${"A: 1\r\n".repeat(257)}\r\n`, "LIMIT"],
  ];
  for (const [name, text, code] of cases) {
    it(name, async () => {
      expect(await refusal(text)).toBe(`ALLIUM_E_HTTP_${code}`);
    });
  }

  it("contradictory framing also where there is no body", async () => {
    const both = `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await refusal(both, "HEAD")).toBe("ALLIUM_E_HTTP_FRAMING");
  });

  it("and the stream is closed with that error", async () => {
    const stream = scriptedStream(cut("nonsense\r\n", "each"), "open");
    const error = await rejection(http1(stream).request({ head, body: undefined }));
    expect(stream.closedWith).toEqual([error]);
  });

  it("in the body, and the stream is closed with that error", async () => {
    const stream = scriptedStream(cut(`${CHUNKED}zz\r\n`, "each"), "open");
    const response = await http1(stream).request({ head, body: undefined });
    const error = await rejection(bodyText(response));
    expect(error.code).toBe("ALLIUM_E_HTTP_CHUNK");
    expect(stream.closedWith).toEqual([error]);
  });
});
