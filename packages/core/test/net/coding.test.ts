// Content codings: undone as the body is read, never far ahead of its reader, and refused where they lie.

import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { cut, rejection, scriptedOpener, scriptedStream, torFetch } from "./streams.ts";
import { webForEachTest } from "./web.ts";

const web = webForEachTest();

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
      web.handlers["/"] = (_, response) => response.setHeader("Content-Encoding", coding).end(body);
      const response = await web.get("http://site.example/");
      expect(await response.text()).toBe(text);
      expect(response.headers.get("content-encoding")).toBe(coding);
      expect(web.opener.open()).toBe(1);
    });
  }

  it("of which nothing is known leaves the body as it is", async () => {
    web.handlers["/"] = (_, response) => response.setHeader("Content-Encoding", "compress").end("raw");
    expect(await (await web.get("http://site.example/")).text()).toBe("raw");
  });

  it("of an empty body is nothing", async () => {
    web.handlers["/"] = (_, response) => response.setHeader("Content-Encoding", "gzip").end();
    expect(await (await web.get("http://site.example/")).text()).toBe("");
  });

  it("that lie, end early or go on after their end are an error of the body", async () => {
    const whole = gzipSync("hello hello hello");
    for (const body of [
      Buffer.from("not gzip at all"),
      whole.subarray(0, -9),
      Buffer.concat([whole, whole.subarray(5)]),
    ]) {
      web.handlers["/"] = (_, response) => response.setHeader("Content-Encoding", "gzip").end(body);
      const error = await rejection((await web.get("http://site.example/")).text());
      expect(error).toMatchObject({ kind: "protocol-violation", code: "ALLIUM_E_HTTP_CODING" });
      expect(error).toBeInstanceOf(TypeError);
    }
  });

  it("whose stream breaks off report that", async () => {
    web.handlers["/"] = (_, response) => {
      response.writeHead(200, { "Content-Encoding": "gzip", "Content-Length": "10000" });
      response.write(gzipSync(text).subarray(0, 200), () => setTimeout(() => response.socket?.end(), 10));
    };
    const error = await rejection((await web.get("http://site.example/")).text());
    expect(error).toMatchObject({ code: "ALLIUM_E_HTTP_TRUNCATED" });
  });

  it("on top of each other are refused", async () => {
    web.handlers["/"] = (_, response) =>
      response.setHeader("Content-Encoding", "gzip, gzip").end(gzipSync(gzipSync("x")));
    expect(await rejection(web.get("http://site.example/"))).toMatchObject({ kind: "limit" });
    await expect.poll(() => web.opener.open()).toBe(0);
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
    // 64 KiB are read ahead, and Node holds 64 KiB besides, still coded.
    expect(taken).toBeLessThan(40);
    await reader.cancel();
  });

  it("that nobody asked for are undone where the platform can, and refused where it cannot", async () => {
    const bodies = { br: brotliCompressSync(text), zstd: zstdCompressSync(text) };
    for (const [coding, body] of Object.entries(bodies)) {
      const format = coding === "br" ? "brotli" : coding;
      web.handlers["/"] = (_, response) => response.setHeader("Content-Encoding", coding).end(body);
      const read = web.get("http://site.example/").then((response) => response.text());
      if (isKnown(format)) expect(await read).toBe(text);
      else expect(await rejection(read)).toMatchObject({ kind: "limit", code: "ALLIUM_E_HTTP_CODING_LIMIT" });
    }
  });

  it("that nobody asked for may be bombs as well", async () => {
    const bomb = brotliCompressSync(Buffer.alloc(500_000_000), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 1 },
    });
    web.handlers["/"] = (_, response) => response.setHeader("Content-Encoding", "br").end(bomb);
    const before = process.memoryUsage().arrayBuffers;
    const response = await web.get("http://site.example/");
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let read = 0;
    while (read < 20_000_000) read += (await reader.read()).value?.length ?? 0;
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(300_000_000);
    await reader.cancel();
  });
});

describe("a decoder that gives all it can in one go, as those of browsers do", () => {
  const slices: [coding: string, slice: number][] = [
    ["gzip", 8192],
    ["deflate", 8192],
    ["zstd", 128],
    ["br", 16],
  ];
  for (const [coding, slice] of slices) {
    it(`is given ${slice} bytes of ${coding} at a time, and no more before they are read`, async () => {
      const given: number[] = [];
      class Eager extends TransformStream<Uint8Array, Uint8Array> {
        constructor() {
          super({
            transform(chunk, controller) {
              given.push(chunk.length);
              controller.enqueue(new Uint8Array(1_000_000));
            },
          });
        }
      }
      vi.stubGlobal("DecompressionStream", Eager);
      onTestFinished(() => void vi.unstubAllGlobals());
      web.handlers["/"] = (_, response) =>
        response.setHeader("Content-Encoding", coding).end(Buffer.alloc(60_000, 0x78));
      const response = await web.get("http://site.example/");
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(given.length).toBeLessThanOrEqual(2);
      await (response.body as ReadableStream<Uint8Array>).getReader().read();
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(given.length).toBeLessThanOrEqual(4);
      expect(new Set(given)).toEqual(new Set([slice]));
    });
  }
});

function isKnown(format: string): boolean {
  try {
    return new DecompressionStream(format as CompressionFormat) !== undefined;
  } catch {
    return false;
  }
}
