// A bridge and a directory cache in league: documents that are old, too little signed, or changed are refused.
// The cache is a relay of our own, listed as the network's only fallback; the documents come from the real authorities.

import { once } from "node:events";
import http from "node:http";
import { nodeDialer } from "@allium/bridge";
import {
  type Clock,
  isTorError,
  memoryStore,
  type Store,
  systemClock,
  TorClient,
  type TorError,
} from "@allium/core";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { type Documents, startEvilRelay } from "./evil-relay.ts";

const network = inject("network");
const { nodes } = inject("info");
const DAY = 24 * 3600_000;

async function fromAuthority(path: string): Promise<Uint8Array> {
  const authority = nodes.find(({ role }) => role === "authority");
  const request = http.get({ host: authority?.address, port: authority?.dirPort, path, agent: false });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface Captured {
  readonly consensus: string;
  readonly keys: Uint8Array;
}

async function capture(): Promise<Captured> {
  const consensus = await fromAuthority("/tor/status-vote/current/consensus-microdesc");
  return { consensus: Buffer.from(consensus).toString("latin1"), keys: await fromAuthority("/tor/keys/all") };
}

/** Serves the given consensus and keys; microdescriptors as the authority has them, changed by `microdescriptors`. */
function cacheOf(consensus: string, keys: Uint8Array, microdescriptors: Map<string, Uint8Array>): Documents {
  return (path) => {
    if (path.startsWith("/tor/status-vote/")) return Buffer.from(consensus, "latin1");
    if (path.startsWith("/tor/keys/")) return keys;
    return microdescriptors.get(path);
  };
}

interface Attempt {
  readonly error: TorError | undefined;
  readonly requests: readonly string[];
}

async function attempt(
  documents: Documents,
  options: { store?: Store; clock?: Clock } = {},
): Promise<Attempt> {
  const relay = await startEvilRelay(documents);
  const tor = new TorClient({
    dialer: nodeDialer(),
    store: options.store ?? memoryStore(),
    network: { ...network, fallbacks: [relay.fallback] },
    retry: { attempts: 1 },
    // Its waits pass eight times as fast: what is refused is tried again some times before the client gives up.
    clock: { ...(options.clock ?? systemClock), timer: (ms) => systemClock.timer(ms / 8) },
  });
  onTestFinished(async () => {
    await tor.close();
    await relay.close();
  });
  try {
    await tor.ready();
    return { error: undefined, requests: relay.requests };
  } catch (error) {
    if (isTorError(error)) return { error, requests: relay.requests };
    throw error;
  }
}

function signatures(consensus: string): string[] {
  return consensus.slice(consensus.indexOf("directory-signature ")).split(/(?=^directory-signature )/m);
}

/** Milliseconds since the epoch. */
function validAfter(consensus: string): number {
  return Date.parse(`${/^valid-after (.+)$/m.exec(consensus)?.[1]?.replace(" ", "T")}Z`);
}

/** Starts an honest client once. @returns its store, and the time of the newest consensus that it has seen */
async function visit(): Promise<{ store: Store; floor: () => number }> {
  const store = memoryStore();
  let floor = 0;
  const set: Store["set"] = (entries) => {
    for (const [key, value] of entries) if (key.endsWith("floor")) floor = Number(Buffer.from(value ?? []));
    return store.set(entries);
  };
  const honest = new TorClient({ dialer: nodeDialer(), store: { ...store, set }, network });
  await honest.ready();
  await honest.close();
  return { store, floor: () => floor };
}

describe("a directory cache in league with the bridge", () => {
  it("is believed when it serves what the authorities signed", async () => {
    const { consensus, keys } = await capture();
    const { error, requests } = await attempt(cacheOf(consensus, keys, new Map()));
    expect(requests.some((path) => path.includes("consensus-microdesc"))).toBe(true);
    // It withholds the microdescriptors, which it may; the client then knows the network but lacks its keys.
    expect(error === undefined || error.kind !== "consensus-unverified").toBe(true);
    expect(requests.some((path) => path.startsWith("/tor/micro/"))).toBe(true);
  });

  it("cannot serve a consensus with too few signatures", async () => {
    const { consensus, keys } = await capture();
    const signed = consensus.slice(0, consensus.indexOf("directory-signature "));
    const [first = ""] = signatures(consensus);
    const { error } = await attempt(cacheOf(signed + first, keys, new Map()));
    expect(error?.kind).toBe("consensus-unverified");
  });

  it("cannot serve one signature often enough", async () => {
    const { consensus, keys } = await capture();
    const signed = consensus.slice(0, consensus.indexOf("directory-signature "));
    const [first = ""] = signatures(consensus);
    const { error } = await attempt(cacheOf(signed + first.repeat(3), keys, new Map()));
    expect(["consensus-unverified", "protocol-violation"]).toContain(error?.kind);
  });

  it("cannot change the consensus", async () => {
    const { consensus, keys } = await capture();
    const changed = consensus.replace(/^w Bandwidth=(\d+)/m, "w Bandwidth=99$1");
    expect(changed).not.toBe(consensus);
    const { error } = await attempt(cacheOf(changed, keys, new Map()));
    expect(error?.kind).toBe("consensus-unverified");
  });

  it("cannot serve an expired consensus", async () => {
    const { consensus, keys } = await capture();
    const later: Clock = { ...systemClock, now: () => Date.now() + 5 * DAY };
    const { error } = await attempt(cacheOf(consensus, keys, new Map()), { clock: later });
    expect(error?.kind).toMatch(/^(directory-expired|clock-skew)$/);
  });

  it("cannot serve a consensus from the future", async () => {
    const { consensus, keys } = await capture();
    const earlier: Clock = { ...systemClock, now: () => Date.now() - 5 * DAY };
    const { error } = await attempt(cacheOf(consensus, keys, new Map()), { clock: earlier });
    expect(error?.kind).toMatch(/^(clock-skew|directory-expired|protocol-violation)$/);
  });

  it("cannot change a microdescriptor", async () => {
    const { consensus, keys } = await capture();
    const documents: Documents = (path) => {
      const served = cacheOf(consensus, keys, new Map())(path);
      return served ?? Buffer.from("onion-key\nntor-onion-key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
    };
    const { error } = await attempt(documents);
    expect(error?.code).toBe("ALLIUM_E_UNREQUESTED_DOCUMENT");
  });

  it("cannot replay a consensus older than the one held", { timeout: 180_000 }, async () => {
    const { consensus: old, keys } = await capture();
    // Relays take up a new consensus some time after the authorities made it.
    let { store, floor } = await visit();
    while (floor() <= validAfter(old)) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      ({ store, floor } = await visit());
    }
    // The browser evicted the consensus itself; that a newer one was seen is still known.
    const evicted: Store = {
      ...store,
      get: async (key) => (key.endsWith("consensus") ? undefined : store.get(key)),
    };
    const { error, requests } = await attempt(cacheOf(old, keys, new Map()), { store: evicted });
    expect(requests.some((path) => path.includes("consensus-microdesc"))).toBe(true);
    expect(error?.message).toContain("older consensus");
  });
});
