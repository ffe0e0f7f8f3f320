// A private network with a slow path: its delay is there, at the guard's link alone, for C tor's client as for ours.

import { once } from "node:events";
import { nodeDialer } from "@allium/bridge";
import { memoryStore, TorClient } from "@allium/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { socksConnect } from "../tornet/socks.ts";
import { startTornet } from "../tornet/tornet.ts";
import type { Tornet } from "../tornet/types.ts";

const TIMEOUT = 30_000;
/** Milliseconds that a busy machine may add, to the best of a few. */
const SLACK = 90;

let tornet: Tornet;
beforeAll(async () => {
  tornet = await startTornet({ scheduler: "Vanilla", slowPath: { delayMs: 0 } });
});
afterAll(() => tornet.stop());

/** The best of a few round trips, in milliseconds. */
async function roundTrip(ping: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    await ping();
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

async function roundTripOfAllium(client: TorClient): Promise<number> {
  const { address, port } = tornet.info.echo;
  const socket = client.connect({ hostname: address, port });
  const writer = socket.writable.getWriter();
  const reader = socket.readable.getReader();
  const ping = async () => {
    await writer.write(Uint8Array.of(1));
    expect((await reader.read()).value).toEqual(Uint8Array.of(1));
  };
  await ping();
  const best = await roundTrip(ping);
  await socket.close();
  return best;
}

async function roundTripOfCTor(): Promise<number> {
  const { address: host, port } = tornet.info.echo;
  const socket = await socksConnect(tornet.info.socks, { host, port }, TIMEOUT);
  const best = await roundTrip(async () => {
    socket.write("x");
    await once(socket, "data");
  });
  socket.destroy();
  return best;
}

it("adds the delay of one link each way, and another one while it runs", async () => {
  const client = new TorClient({ dialer: nodeDialer(), store: memoryStore(), network: tornet.network });
  try {
    for (const delayMs of [0, 60, 120]) {
      await tornet.setSlowPath({ delayMs });
      for (const ms of [await roundTripOfCTor(), await roundTripOfAllium(client)]) {
        expect(ms).toBeGreaterThan(2 * delayMs - 1);
        expect(ms).toBeLessThan(2 * delayMs + SLACK);
      }
    }
  } finally {
    await client.close();
  }
});

it("delays no link between relays: a circuit takes three round trips, and its relays' own links none", async () => {
  await tornet.setSlowPath({ delayMs: 100 });
  const client = new TorClient({ dialer: nodeDialer(), store: memoryStore(), network: tornet.network });
  try {
    await client.ready();
    const began = new Map<number, number>();
    const built: number[] = [];
    client.addEventListener("circuit", ({ detail: { id, state, purpose } }) => {
      if (purpose !== "general") return;
      if (state === "building") began.set(id, performance.now());
      if (state === "open") built.push(performance.now() - (began.get(id) ?? 0));
    });
    for (const isolation of ["a", "b", "c"]) await client.fetch(tornet.info.http.url, { isolation });
    const best = Math.min(...built);
    expect(best).toBeGreaterThan(3 * 200 - 1);
    expect(best).toBeLessThan(3 * 200 + 200);
  } finally {
    await client.close();
  }
});
