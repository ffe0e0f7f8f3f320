// Transfers through three real relays: large ones both ways, many at once on one circuit, one aborted among others.

import { memoryStore } from "@allium/core";
import { describe, expect, inject, it } from "vitest";
import { digestOf, directClient, echoed, sha256 } from "./helpers.ts";

const MIB = 1024 * 1024;
const { http, echo } = inject("info");
const large = new URL(http.large.path, http.url).href;

/** Deterministic bytes that no codec can shrink to nothing. */
function bytes(length: number): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    made[i] = state >>> 16;
  }
  return made;
}

describe("through three relays", () => {
  it("downloads 64 MiB unharmed", async () => {
    const tor = directClient();
    const { bytes: received, sha256: digest } = await digestOf(await tor.fetch(large));
    expect(received).toBe(64 * MIB);
    expect(digest).toBe(http.large.sha256);
  });

  it("uploads 16 MiB unharmed", async () => {
    const tor = directClient();
    const body = bytes(16 * MIB);
    const answer = await (await tor.fetch(`${http.url}sink`, { method: "POST", body })).json();
    expect(answer).toMatchObject({ sha256: sha256(body) });
  });

  it("carries 20 streams at once on one circuit, each unharmed", async () => {
    const tor = directClient(memoryStore(), { preemptive: false });
    await tor.ready();
    const length = MIB;
    const { sha256: wanted } = (await (await tor.fetch(`${http.url}digest/${length}`)).json()) as {
      sha256: string;
    };
    const all = await Promise.all(
      Array.from({ length: 20 }, async () => digestOf(await tor.fetch(`${http.url}bytes/${length}`))),
    );
    expect(all).toEqual(all.map(() => ({ bytes: length, sha256: wanted })));
    expect(tor.circuits().filter(({ purpose }) => purpose === "general")).toHaveLength(1);
  });

  it("leaves the other streams alone when one is aborted mid-way or is not read", async () => {
    const tor = directClient();
    const stalled = await tor.fetch(large);
    const abort = new AbortController();
    const aborted = await tor.fetch(large, { signal: abort.signal });
    const reader = (aborted.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const others = Promise.all(
      Array.from({ length: 4 }, async () => digestOf(await tor.fetch(`${http.url}bytes/${4 * MIB}`))),
    );
    abort.abort();
    await expect(
      (async () => {
        for (;;) if ((await reader.read()).done) return;
      })(),
    ).rejects.toThrow();
    expect((await others).map((each) => each.bytes)).toEqual([4 * MIB, 4 * MIB, 4 * MIB, 4 * MIB]);
    await stalled.body?.cancel();
    expect((await tor.fetch(http.url)).status).toBe(200);
  });

  it("echoes through a socket, both directions at once", async () => {
    const tor = directClient();
    const socket = tor.connect({ hostname: echo.address, port: echo.port });
    await socket.opened;
    const sent = bytes(2 * MIB);
    expect(await echoed(socket, sent)).toBe(sha256(sent));
    await socket.close();
  });

  it("delivers a response that ends in one flight with its stream", async () => {
    const tor = directClient();
    const texts = await Promise.all(
      Array.from({ length: 10 }, async () => (await tor.fetch(http.url)).text()),
    );
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toContain("</html>");
  });
});
