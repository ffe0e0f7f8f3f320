// A bridge that hinders every guard but its own (guard-spec on whom to blame, docs/protocol/bridge.md): the client's guards stay
// as they are, few are tried, it is said, and another bridge is taken where there is one. Every relay is a guard here.

import { nodeDialer } from "@allium/bridge";
import { type BridgeSuspicion, type GuardState, memoryStore, type Store, TorClient } from "@allium/core";
import { webDialer } from "@allium/web";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { circuitOf, failureOf, MovedClock } from "../integration/helpers.ts";
import { startTornet } from "../tornet/tornet.ts";
import type { Tornet } from "../tornet/types.ts";
import { type SteeringBridge, startSteeringBridge, type Treatment } from "./steering-bridge.ts";

/** Guards that may be tried through bridges in a day (bridge-watch.ts). */
const GUARDS_A_DAY = 8;
/** Milliseconds for which a guard that failed once is tried after all others. */
const HELD_BACK = 30_000;

let tornet: Tornet;
beforeAll(async () => {
  tornet = await startTornet({ scheduler: "Vanilla", everyRelayIsGuard: true });
});
afterAll(() => tornet.stop());

/** A store whose client has sampled its guards without any bridge. */
async function sampled(): Promise<{ store: Store; guards: GuardState["guards"] }> {
  const store = memoryStore();
  const tor = new TorClient({ dialer: nodeDialer(), store, network: tornet.network });
  await tor.ready();
  const { guards } = await tor.guards.export();
  await tor.close();
  return { store, guards };
}

/** Its waits pass twenty times as fast: a bridge that says nothing costs a second. */
function startClient(bridges: readonly SteeringBridge[], store: Store, clock = new MovedClock(0, 20)) {
  const tor = new TorClient({
    ...{ dialer: webDialer({ bridges: bridges.map(({ url }) => url) }), store, network: tornet.network },
    ...{ clock, path: { preemptive: false } },
  });
  const suspicions: BridgeSuspicion[] = [];
  tor.addEventListener("bridge", ({ detail }) => suspicions.push(detail));
  return { tor, suspicions };
}

async function fingerprintsOf(tor: TorClient): Promise<string[]> {
  return (await tor.guards.export()).guards.map(({ fingerprint }) => fingerprint);
}

const HINDRANCES: readonly Treatment[] = ["silent", "denied", "stalled", "cut", "cut later"];

it.concurrent.for(HINDRANCES)(
  "a bridge cannot move its client far down the sample: %s",
  async (how, { onTestFinished }) => {
    const { store, guards } = await sampled();
    expect(guards.length).toBeGreaterThan(GUARDS_A_DAY);
    const own = guards.at(-1)?.address;
    const bridge = await startSteeringBridge((relay) => (relay === own ? "carried" : how));
    const { tor, suspicions } = startClient([bridge], store);
    onTestFinished(async () => {
      await tor.close();
      await bridge.close();
    });
    for (let i = 0; i < 4; i++) {
      const { kind } = await failureOf(tor.fetch(tornet.info.http.url));
      expect([
        "bridge-unreachable",
        "bridge-refused",
        "offline",
        "circuit-collapse",
        "protocol-violation",
      ]).toContain(kind);
    }
    expect([...bridge.asked]).not.toContain(own);
    expect(bridge.asked.size).toBeLessThanOrEqual(GUARDS_A_DAY);
    expect(await fingerprintsOf(tor)).toEqual(guards.map(({ fingerprint }) => fingerprint));
    expect(suspicions).toMatchObject([{ bridge: bridge.url }]);
  },
);

it.concurrent.for(HINDRANCES)(
  "its client takes another bridge, and goes back to its guard: %s",
  async (how, { onTestFinished }) => {
    const { store, guards } = await sampled();
    const own = guards.at(-1)?.address;
    const bad = await startSteeringBridge((relay) => (relay === own ? "carried" : how));
    const good = await startSteeringBridge(() => "carried");
    const clock = new MovedClock(0, 20);
    const { tor } = startClient([bad, good], store, clock);
    onTestFinished(async () => {
      await tor.close();
      await bad.close();
      await good.close();
    });
    await vi.waitFor(() => circuitOf(tor, tornet.info.http.url), { timeout: 30_000, interval: 100 });
    clock.run += HELD_BACK;
    // Not that of a circuit that ends there.
    const used: (string | undefined)[] = [];
    for (let i = 0; i < 6; i++) used.push((await circuitOf(tor, tornet.info.http.url)).hops[0]?.nickname);
    expect(used).toContain(guards[0]?.nickname);
    expect([...bad.asked, ...good.asked]).not.toContain(own);
    expect(await fingerprintsOf(tor)).toEqual(guards.map(({ fingerprint }) => fingerprint));
  },
);

it.concurrent("a bridge that cuts links in use has no guard given up", async ({ onTestFinished }) => {
  const { store, guards } = await sampled();
  const bridge = await startSteeringBridge(() => "cut in use");
  const { tor } = startClient([bridge], store);
  onTestFinished(async () => {
    await tor.close();
    await bridge.close();
  });
  const lost: unknown[] = [];
  tor.addEventListener("circuit", ({ detail: { state, error, purpose } }) => {
    if (state === "closed" && purpose === "general" && error) lost.push(error.code);
  });
  const url = `${tornet.info.http.url}bytes/20000`;
  for (let i = 0; i < 60 && lost.length < 40; i++) {
    await tor
      .fetch(url, { isolation: String(i) })
      .then(
        (response) => response.text(),
        () => {},
      )
      .catch(() => {});
  }
  expect(lost.length).toBeGreaterThan(20);
  const after = (await tor.guards.export()).guards;
  expect(after.map(({ fingerprint }) => fingerprint)).toEqual(guards.map(({ fingerprint }) => fingerprint));
  expect(after.filter(({ disabled }) => disabled)).toEqual([]);
});
