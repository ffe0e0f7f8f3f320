// Data of the web-platform-tests (vectors/README.md): data: URLs, forgiving base64, lengths of responses.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { rejection, scriptedOpener, scriptedStream, torFetch, withoutTls } from "./streams.ts";

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8"));
}

const nobody = withoutTls({ openStream: () => Promise.reject(new Error("nobody is to be asked")) });

describe("fetch/data-urls/processing.any.js", () => {
  for (const [url, type, bytes] of vectors<[string, string | null, number[]][]>("data-urls")) {
    it(JSON.stringify(url), async () => {
      if (type === null) {
        expect((await rejection(torFetch(nobody, url))).code).toBe("ALLIUM_E_FETCH_URL");
        return;
      }
      const response = await torFetch(nobody, url);
      expect([...new Uint8Array(await response.arrayBuffer())]).toEqual(bytes);
      expect(response.headers.get("content-type")).toBe(type || "text/plain;charset=US-ASCII");
    });
  }
});

describe("fetch/data-urls/base64.any.js", () => {
  for (const [text, bytes] of vectors<[string, number[] | null][]>("base64")) {
    it(JSON.stringify(text), async () => {
      const fetched = torFetch(nobody, `data:;base64,${encodeURIComponent(text)}`);
      if (bytes === null) expect(await rejection(fetched)).toBeInstanceOf(TypeError);
      else expect([...new Uint8Array(await (await fetched).arrayBuffer())]).toEqual(bytes);
    });
  }
});

describe("fetch/content-length/parsing.window.js", () => {
  for (const { input, output } of vectors<{ input: string; output: number | null }[]>("content-lengths")) {
    // Named deviation: a length that is no number, or stands there twice, is refused even where it is the same.
    const isPlain = /^Content-Length: [0-9]+$/.test(input);
    it(`${JSON.stringify(input)} is ${isPlain ? output : "refused"}`, async () => {
      const text = `HTTP/1.1 200 OK\r\n${input}\r\n\r\n${"x".repeat(42)}`;
      const opener = scriptedOpener(() => scriptedStream([new TextEncoder().encode(text)]));
      const fetched = torFetch(opener, "http://a.example/");
      if (isPlain) expect((await (await fetched).text()).length).toBe(output);
      else expect((await rejection(fetched)).code).toMatch(/^ALLIUM_E_HTTP_(?:FRAMING|FIELD)$/);
    });
  }
});
