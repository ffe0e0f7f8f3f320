import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { fromUtf8, utf8 } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { directoryGet } from "../../src/directory/http.ts";
import { inflate } from "../../src/directory/inflate.ts";
import { type Answer, answeringStream, deflated, response } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";

const request = { path: "/tor/x", maxLength: 10_000 };

function get(answer: Answer, maxLength = 10_000) {
  return directoryGet(
    answeringStream(() => answer),
    { ...request, maxLength },
    { clock: systemClock },
  );
}

const bad = (code: string) => expect.objectContaining({ kind: "protocol-violation", code });
const badResponse = bad("ALLIUM_E_BAD_DIRECTORY_RESPONSE");

describe("a directory request", () => {
  it("says what is wanted and nothing about who asks", async () => {
    let sent = "";
    const stream = answeringStream((_, text) => {
      sent = text;
      return response("body");
    });
    await directoryGet(stream, { ...request, ifModifiedSince: Date.UTC(2026, 0, 1) }, { clock: systemClock });
    expect(sent).toBe(
      "GET /tor/x HTTP/1.0\r\nAccept-Encoding: deflate, identity\r\nIf-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
    );
    expect(stream.closed).toBe(true);
  });

  it("takes the body to the end of the stream or to its stated length, plain or deflated", async () => {
    const long = utf8("0123456789".repeat(700));
    expect(fromUtf8((await get(response("body"))).body)).toBe("body");
    expect((await get(response(long))).body).toEqual(long);
    expect((await get(deflated(long))).body).toEqual(long);
    expect((await get(response(new Uint8Array(0)))).body.length).toBe(0);
    const stated = response("body", "HTTP/1.0 200 OK\r\ncontent-length: 4\r\nX-More: 1:2");
    expect(fromUtf8((await get(stated)).body)).toBe("body");
    expect((await get(response("gone", "HTTP/1.0 404 Not found"))).status).toBe(404);
    expect((await get(response("gone", "HTTP/1.0 404"))).body.length).toBe(0);
  });

  it("takes a response split anywhere", async () => {
    const whole = response("body", "HTTP/1.0 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 4");
    for (let at = 0; at <= whole.length; at++) {
      expect(fromUtf8((await get([whole.slice(0, at), whole.slice(at)])).body)).toBe("body");
    }
    const bytes = [...whole].map((byte) => Uint8Array.of(byte));
    expect(fromUtf8((await get(bytes)).body)).toBe("body");
  });

  it.each([
    ["nothing", ""],
    ["headers without end", "HTTP/1.0 200 OK\r\nA: b\r\n"],
    ["another protocol", "SSH-2.0-x\r\n\r\n"],
    ["a malformed status", "HTTP/1.0 20 OK\r\n\r\n"],
    ["a header without colon", "HTTP/1.0 200 OK\r\nnonsense\r\n\r\n"],
    ["a header twice", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\nab"],
    ["a malformed length", "HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n"],
    ["a body shorter than it says", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nbody"],
    ["a body longer than it says", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nbody"],
    ["a length beyond what is allowed", "HTTP/1.0 200 OK\r\nContent-Length: 10001\r\n\r\n"],
    ["a coding that was not asked for", "HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n"],
    ["a transfer coding", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["endless headers", `HTTP/1.0 200 OK\r\n${"A: b\r\n".repeat(3000)}\r\n`],
  ])("refuses %s", async (_, text) => {
    await expect(get(utf8(text))).rejects.toThrow(badResponse);
  });

  it("stops at an endless response as soon as it is too long", async () => {
    let chunks = 0;
    const stream = {
      write: async () => {},
      read: async () => (chunks++ === 0 ? utf8("HTTP/1.0 200 OK\r\n\r\n") : new Uint8Array(498)),
      close: () => {},
    };
    await expect(directoryGet(stream, request, { clock: systemClock })).rejects.toThrow(badResponse);
    expect(chunks).toBeLessThan(25);
  });

  it("gives up a cache that stalls, and closes its stream", async () => {
    const clock = new TestClock(0);
    const stream = answeringStream(() => "stall");
    await expect(clock.run(directoryGet(stream, request, { clock }))).rejects.toThrow(
      expect.objectContaining({ code: "ALLIUM_E_DIRECTORY_STALLED" }),
    );
    expect(clock.now()).toBe(15_000);
    expect(stream.closed).toBe(true);
  });

  it("ends when its caller gives up", async () => {
    const controller = new AbortController();
    const stream = answeringStream(() => "stall");
    const got = directoryGet(stream, request, { clock: systemClock, signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(got).rejects.toThrow(expect.objectContaining({ kind: "aborted" }));
  });

  it("throws nothing but TorError, whatever the answer", async () => {
    const part = fc.constantFrom(
      "HTTP/1.0 200 OK",
      "\r\n",
      "\r\n\r\n",
      "Content-Length: 3",
      "Content-Encoding: deflate",
      "x",
      ":",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        await get(utf8(parts.join(""))).catch((error) => expect(isTorError(error)).toBe(true));
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});

describe("a deflated document", () => {
  const data = utf8("some text that repeats, some text that repeats. ".repeat(5000));
  const packed = new Uint8Array(deflateSync(data));

  it("is unpacked whole", async () => {
    const random = crypto.getRandomValues(new Uint8Array(60_000));
    expect(await inflate(new Uint8Array(deflateSync(random)), 60_000)).toEqual(random);
    expect(await inflate(new Uint8Array(deflateSync(new Uint8Array(0))), 10)).toEqual(new Uint8Array(0));
  });

  it("of more than the allowed length is refused", async () => {
    const limit = bad("ALLIUM_E_DECOMPRESSION_LIMIT");
    const random = crypto.getRandomValues(new Uint8Array(20_000));
    await expect(inflate(new Uint8Array(deflateSync(random)), 19_999)).rejects.toThrow(limit);
  });

  it("that is a bomb is refused long before its end, however much is allowed", async () => {
    const bomb = new Uint8Array(deflateSync(new Uint8Array(50_000_000)));
    const before = process.memoryUsage().arrayBuffers;
    await expect(inflate(bomb, 2 ** 30)).rejects.toThrow(bad("ALLIUM_E_DECOMPRESSION_LIMIT"));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    await expect(inflate(packed, 2 ** 30)).rejects.toThrow(bad("ALLIUM_E_DECOMPRESSION_LIMIT"));
  });

  it.each([
    ["cut off", packed.slice(0, -5)],
    ["cut to nothing", new Uint8Array(0)],
    ["changed", packed.map((byte, i) => (i === 40 ? byte ^ 0xff : byte))],
    ["followed by junk", concat(new Uint8Array(deflateSync(utf8("short"))), utf8("junk"))],
    ["gzip", new Uint8Array(gzipSync(utf8("short")))],
    ["not compressed", utf8("network-status-version 3 microdesc\n")],
  ])("that is %s is refused", async (_, bytes) => {
    await expect(inflate(bytes, 10_000_000)).rejects.toThrow(
      expect.objectContaining({ kind: "protocol-violation" }),
    );
  });
});
