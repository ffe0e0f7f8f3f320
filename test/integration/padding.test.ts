// Padding of links (padding-spec 2) with C tor's relays, on a network whose consensus has them pad ten times a second or so:
// both ends pad, with reduced padding we alone, and nobody where it is off.

import { setTimeout as sleep } from "node:timers/promises";
import { nodeDialer } from "@allium/bridge";
import { type Dialer, memoryStore, TorClient, type TorClientOptions } from "@allium/core";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startTornet } from "../tornet/tornet.ts";
import type { Tornet } from "../tornet/types.ts";

let tornet: Tornet;
beforeAll(async () => {
  const consensusParams = {
    ...{ nf_ito_low: 60, nf_ito_high: 140 },
    ...{ nf_ito_low_reduced: 100, nf_ito_high_reduced: 160 },
  };
  tornet = await startTornet({ scheduler: "Vanilla", consensusParams });
});
afterAll(() => tornet.stop());

/** Bytes that links carried, either way. */
interface Carried {
  sent: number;
  received: number;
}

function countingDialer(carried: Carried): Dialer {
  const dialer = nodeDialer();
  return {
    async dial(target, options) {
      const duplex = await dialer.dial(target, options);
      const count = (way: keyof Carried) =>
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            carried[way] += chunk.length;
            controller.enqueue(chunk);
          },
        });
      const outgoing = count("sent");
      outgoing.readable.pipeTo(duplex.writable).catch(() => {});
      return {
        ...duplex,
        readable: duplex.readable.pipeThrough(count("received")),
        writable: outgoing.writable,
      };
    },
  };
}

/** What a link with a circuit that nobody uses carries in three seconds. */
async function idleTraffic(
  channelPadding: NonNullable<TorClientOptions["channelPadding"]>,
): Promise<Carried> {
  const carried: Carried = { sent: 0, received: 0 };
  const tor = new TorClient({
    ...{ dialer: countingDialer(carried), store: memoryStore(), network: tornet.network },
    channelPadding,
  });
  onTestFinished(() => tor.close());
  await (await tor.fetch(tornet.info.http.url)).text();
  // The last answers, circuits that are built ahead.
  await sleep(1000);
  const before = { ...carried };
  await sleep(3000);
  expect((await tor.fetch(tornet.info.http.url)).status).toBe(200);
  return { sent: carried.sent - before.sent, received: carried.received - before.received };
}

/** A cell in a record of its own. */
const RECORD = 514 + 22;

it("both ends pad", async () => {
  const { sent, received } = await idleTraffic("normal");
  // Whoever sends first sets back both timers, so the two share the work, and on a busy machine one has more of it.
  expect(sent + received).toBeGreaterThan(12 * RECORD);
  expect(sent).toBeGreaterThan(0);
  expect(received).toBeGreaterThan(0);
});

it("with reduced padding we alone do", async () => {
  const { sent, received } = await idleTraffic("reduced");
  expect(sent).toBeGreaterThan(5 * RECORD);
  expect(received).toBeLessThan(3 * RECORD);
});

it("where it is off nobody does", async () => {
  const { sent, received } = await idleTraffic("off");
  expect(sent).toBeLessThan(3 * RECORD);
  expect(received).toBeLessThan(3 * RECORD);
});
