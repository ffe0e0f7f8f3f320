// What guards are for when relays die (guard-spec 4.5 to 4.9), on a network of our own whose clients sample three guards of the
// four: which guard is used, that no other is sampled, and that all works again when they are back.

import { setTimeout as sleep } from "node:timers/promises";
import { nodeDialer } from "@allium/bridge";
import { isTorError, memoryStore, TorClient, type TorClientOptions } from "@allium/core";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { contentDigest } from "../tornet/servers/content.ts";
import { startTornet } from "../tornet/tornet.ts";
import type { Tornet } from "../tornet/types.ts";
import { circuitOf, digestOf, failureOf, MovedClock } from "./helpers.ts";

/** guard-spec 4.5: when a primary guard that failed is tried again. */
const PRIMARY_RETRY = 10 * 60_000;
const SAMPLE = 3;
/** What a request may end with when relays die. */
const ENDED = /^(circuit-collapse|exit-timeout|offline|no-path)$/;

let tornet: Tornet;
beforeAll(async () => {
  const consensusParams = { "guard-min-filtered-sample-size": SAMPLE };
  tornet = await startTornet({ scheduler: "Vanilla", consensusParams });
});
afterAll(() => tornet.stop());

function start(options: Partial<TorClientOptions> = {}): TorClient {
  const tor = new TorClient({
    ...{ dialer: nodeDialer(), store: memoryStore(), network: tornet.network },
    // Of few relays many are dead, and those that met one do not extend to it for a minute: it is tried often.
    // As one that has learned how long circuits take does not wait for a DESTROY that a relay keeps to itself (below).
    ...{
      path: { preemptive: false, circuitBuildTimeout: 3000 },
      retry: { attempts: 10, initialDelay: 50, maxDelay: 400 },
      ...options,
    },
  });
  onTestFinished(() => tor.close());
  return tor;
}

/** The guard of a circuit of its own that carried a page. */
async function guardOf(tor: TorClient): Promise<string> {
  return (await circuitOf(tor, tornet.info.http.url)).hops[0]?.nickname ?? "";
}

function within<T>(ms: number, operation: Promise<T>): Promise<T> {
  const late = sleep(ms, undefined, { ref: false }).then(() => {
    throw new Error(`not done within ${ms} ms`);
  });
  return Promise.race([operation, late]);
}

async function sampleOf(tor: TorClient): Promise<string[]> {
  return (await tor.guards.export()).guards.map(({ nickname }) => nickname);
}

/** The same, once a request does well: relays refuse for a minute to extend to one that they met dead. */
function usedGuard(tor: TorClient): Promise<string> {
  return vi.waitFor(() => guardOf(tor), { timeout: 60_000, interval: 500 });
}

// First, while no relay has met a dead one yet.
it("ends each of 50 fetches well or with an error when half of the relays die under them", async () => {
  const BYTES = 1_000_000;
  const tor = start();
  const own = await usedGuard(tor);
  const others = tornet.info.guards.filter((nickname) => nickname !== own);
  const dying = ["auth1", ...others.slice(0, 2), ...tornet.info.exits.slice(0, 2)];
  let done = 0;
  const fetches = Array.from({ length: 50 }, async (_, i) => {
    const response = await tor.fetch(`${tornet.info.http.url}bytes/${BYTES}`, { isolation: String(i % 12) });
    const { sha256 } = await digestOf(response);
    done++;
    return sha256;
  });
  const settled = Promise.allSettled(fetches);
  await vi.waitFor(() => expect(done).toBeGreaterThan(3), { timeout: 30_000, interval: 5 });
  onTestFinished(() => tornet.revive(dying));
  await tornet.kill(dying);
  expect(done).toBeLessThan(fetches.length);
  // tor keeps all but the first of several DESTROYs to itself until it has another cell to send on that link.
  await usedGuard(tor);
  const results = await within(30_000, settled);
  for (const one of results) {
    if (one.status === "fulfilled") expect(one.value).toBe(contentDigest(BYTES));
    else expect(isTorError(one.reason) ? one.reason.kind : one.reason).toMatch(ENDED);
  }
  // It was not the guards that let circuits fail.
  expect((await tor.guards.export()).guards.filter(({ disabled }) => disabled)).toEqual([]);
});

it("moves to another primary guard while its own is dead, and back when its time has come", async () => {
  const clock = new MovedClock();
  const tor = start({ clock });
  const own = await usedGuard(tor);
  const sample = await sampleOf(tor);
  expect(sample).toHaveLength(SAMPLE);
  await tornet.kill([own]);
  const others = new Set<string>();
  for (let i = 0; i < 5; i++) others.add(await usedGuard(tor));
  expect(others.size).toBe(1);
  expect(sample).toEqual(expect.arrayContaining([...others]));
  await tornet.revive([own]);
  // Not before its time, be it there again.
  expect(others).toContain(await usedGuard(tor));
  clock.run += PRIMARY_RETRY;
  await vi.waitFor(async () => expect(await guardOf(tor)).toBe(own), { timeout: 30_000, interval: 500 });
  expect(await sampleOf(tor)).toEqual(sample);
});

it("tries its guard again at once when the device says that it has another network", async () => {
  const tor = start();
  const own = await usedGuard(tor);
  await tornet.kill([own]);
  const other = await usedGuard(tor);
  expect(other).not.toBe(own);
  await tornet.revive([own]);
  expect(await usedGuard(tor)).toBe(other);
  tor.networkChanged();
  await vi.waitFor(async () => expect(await guardOf(tor)).toBe(own), { timeout: 30_000, interval: 500 });
});

it("fails in time, and with no guard beyond its sample, when all of that are dead", async () => {
  const tor = start();
  await usedGuard(tor);
  const sample = await sampleOf(tor);
  await tornet.kill(sample);
  const began = performance.now();
  const failures = await Promise.all(
    Array.from({ length: 6 }, (_, i) => failureOf(tor.fetch(tornet.info.http.url, { isolation: String(i) }))),
  );
  expect(performance.now() - began).toBeLessThan(20_000);
  for (const { kind } of failures) expect(kind).toMatch(ENDED);
  expect(await sampleOf(tor)).toEqual(sample);
  await tornet.revive(sample);
  await usedGuard(tor);
  expect(await sampleOf(tor)).toEqual(sample);
});
