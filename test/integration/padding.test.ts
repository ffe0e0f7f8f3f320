// Padding of links (padding-spec 2) with C tor's relays, on a network whose consensus has them pad ten times a second or so:
// both ends pad, with reduced padding we alone, and nobody where it is off.

import { setTimeout as sleep } from "node:timers/promises";
import { nodeDialer } from "@allium/bridge";
import {
  type Clock,
  type Dialer,
  memoryStore,
  type Timer,
  TorClient,
  type TorClientOptions,
} from "@allium/core";
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

/** The longest that our end waits before it pads, by the consensus's parameters above. */
const LONGEST_WAIT = 160;

/** Real time; while `stopped`, no short timer fires, and so our end does not pad. */
class StoppableClock implements Clock {
  stopped = false;
  now = () => Date.now();
  monotonic = () => performance.now();

  timer(ms: number): Timer {
    const never = this.stopped && ms <= LONGEST_WAIT;
    let timeout: NodeJS.Timeout | undefined;
    const fired = new Promise<void>((resolve) => {
      if (!never) timeout = setTimeout(resolve, ms);
    });
    return { fired, cancel: () => clearTimeout(timeout) };
  }
}

type Padding = NonNullable<TorClientOptions["channelPadding"]>;

/** What a link with a circuit that nobody uses carries in three seconds, as our end pads or is kept from it. */
async function idleTraffic(channelPadding: Padding, ours: "pads" | "stands still"): Promise<Carried> {
  const carried: Carried = { sent: 0, received: 0 };
  const clock = new StoppableClock();
  const tor = new TorClient({
    ...{ dialer: countingDialer(carried), store: memoryStore(), network: tornet.network },
    ...{ channelPadding, clock, path: { preemptive: false } },
  });
  onTestFinished(() => tor.close());
  await (await tor.fetch(tornet.info.http.url)).text();
  clock.stopped = ours === "stands still";
  // The last answers, circuits that are built ahead, a timer that was set before.
  await sleep(1000);
  const before = { ...carried };
  await sleep(3000);
  const traffic = { sent: carried.sent - before.sent, received: carried.received - before.received };
  // And the link is in use still.
  expect((await tor.fetch(tornet.info.http.url)).status).toBe(200);
  return traffic;
}

/** A cell in a record of its own. */
const RECORD = 514 + 22;

it("we pad, and so does the relay where we do not", async () => {
  expect((await idleTraffic("normal", "pads")).sent).toBeGreaterThan(10 * RECORD);
  const { sent, received } = await idleTraffic("normal", "stands still");
  expect(sent).toBe(0);
  // C tor looks whether a link is to be padded once a second.
  expect(received).toBeGreaterThanOrEqual(2 * RECORD);
});

it("with reduced padding we alone do: the relay was told to stop", async () => {
  expect((await idleTraffic("reduced", "pads")).sent).toBeGreaterThan(10 * RECORD);
  expect(await idleTraffic("reduced", "stands still")).toEqual({ sent: 0, received: 0 });
});

it("where it is off nobody does", async () => {
  expect(await idleTraffic("off", "pads")).toEqual({ sent: 0, received: 0 });
});
