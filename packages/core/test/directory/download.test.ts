import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { randomBytes } from "../../src/base/random.ts";
import { Downloader, downloadPolicy } from "../../src/directory/download.ts";
import { response } from "./cache-server.ts";

describe("a download", () => {
  it("that its caller gives up while it is unpacked leaves no connection open", async () => {
    const packed = new Uint8Array(
      deflateSync(concat(...Array.from({ length: 50 }, () => randomBytes(65_536)))),
    );
    const answer = response(
      packed,
      `HTTP/1.0 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: ${packed.length}`,
    );
    const controller = new AbortController();
    let finished: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      finished = resolve;
    });
    const stream = {
      write: async () => {},
      read: async () => {
        setImmediate(() => controller.abort());
        return answer;
      },
      close: () => {},
    };
    const failed = () => expect.unreachable("the cache did nothing wrong");
    const downloader = new Downloader({
      connector: { open: async () => ({ stream, cache: "0", done: finished, failed }) },
      clock: systemClock,
    });
    const download = downloader.fetch({
      name: "a document",
      request: () => ({ path: "/tor/x", maxLength: 10_000_000 }),
      policy: downloadPolicy,
      signal: controller.signal,
      netdir: undefined,
      judge: () => expect.unreachable("nobody waits for it"),
    });
    await expect(download).rejects.toThrow(expect.objectContaining({ kind: "aborted" }));
    await over;
  });
});
