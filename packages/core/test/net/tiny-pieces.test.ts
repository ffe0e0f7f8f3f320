// Servers that send a byte at a time: what waits is counted by what it takes, not by its bytes alone.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { HttpBody } from "../../src/net/http/exchange.ts";
import { HttpInput } from "../../src/net/http/input.ts";
import { readAhead } from "../../src/net/http/read-ahead.ts";
import { readResponseHead } from "../../src/net/http/response-head.ts";
import { checkedBody, parseIntegrity } from "../../src/net/integrity.ts";
import { cut, rejection, scriptedStream, settle } from "./streams.ts";

/** A body of so many zeros, one in a piece. */
function crumbs(count: number): HttpBody & { taken(): number } {
  let taken = 0;
  return {
    taken: () => taken,
    next: async () => (taken++ < count ? new Uint8Array(1) : undefined),
    cancel: () => {},
  };
}

describe("a body of single bytes", () => {
  it("is read ahead by hundreds of them, not by as many as bytes might be", async () => {
    const body = crumbs(100_000);
    const ahead = readAhead(body);
    await settle();
    expect(body.taken()).toBeLessThan(300);
    let read = 0;
    for (let piece = await ahead.next(); piece !== undefined; piece = await ahead.next())
      read += piece.length;
    expect(read).toBe(100_000);
  });

  it("is checked as one piece, whatever it came in", async () => {
    const digest = createHash("sha256").update(new Uint8Array(300_000)).digest("base64");
    const checked = await checkedBody(crumbs(300_000), parseIntegrity(`sha256-${digest}`) as never);
    expect((await checked.next())?.length).toBe(300_000);
  });
});

it("a head of single bytes is refused once its line comes in more than 4096 reads", async () => {
  const head = (length: number) => `HTTP/1.1 200 OK\r\nx: ${"x".repeat(length)}\r\n\r\n`;
  const read = (length: number) => readResponseHead(new HttpInput(scriptedStream(cut(head(length), "each"))));
  expect((await read(4000)).fields[0]?.[1].length).toBe(4000);
  expect((await rejection(read(4100))).code).toBe("ALLIUM_E_HTTP_LIMIT");
  expect((await rejection(read(130_000))).code).toBe("ALLIUM_E_HTTP_LIMIT");
});
