// Following the network (dir-spec 5.1, 4.5) where the authorities sign another consensus every ten seconds, each valid for
// twenty: differences are applied, two clients of one store fetch each once, and what has expired is renewed before it is used.

import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { nodeDialer } from "@allium/bridge";
import {
  type CircuitInfo,
  type Dialer,
  memoryStore,
  type Store,
  TorClient,
  type TorClientOptions,
  TorError,
} from "@allium/core";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { applyConsensusDiff } from "../../packages/core/src/directory/documents/consensus-diff.ts";
import { startTornet } from "../tornet/tornet.ts";
import type { Tornet } from "../tornet/types.ts";
import { failureOf, MovedClock } from "./helpers.ts";

// The real one, and it is seen when it is called.
vi.mock(import("../../packages/core/src/directory/documents/consensus-diff.ts"), async (original) => {
  const real = await original();
  return { ...real, applyConsensusDiff: vi.fn(real.applyConsensusDiff) };
});

const MINUTE = 60_000;
const WITHIN_SECONDS = { timeout: 5000, interval: 100 };

let tornet: Tornet;
/** Every consensus of the authorities as they serve it, by its valid-after. */
const published = new Map<string, Set<string>>();
const watching = new AbortController();
/** What a client had stored when the network was young. */
const young = new Map<string, Uint8Array | undefined>();

beforeAll(async () => {
  tornet = await startTornet({ scheduler: "Vanilla", voting: { interval: 10, validFor: 2 } });
  void watchAuthorities(watching.signal);
  const store = recorded(memoryStore(), (entries) => {
    for (const [key, value] of entries) young.set(key, value);
  });
  const tor = new TorClient({ dialer: nodeDialer(), store, network: tornet.network });
  await tor.ready();
  await tor.close();
});
afterAll(async () => {
  watching.abort();
  await tornet.stop();
});

async function fromAuthority(host: string, port: number): Promise<string> {
  const path = "/tor/status-vote/current/consensus-microdesc";
  const [response] = (await once(get({ host, port, path, agent: false }), "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response.setEncoding("latin1")) text += chunk;
  return text;
}

const validAfter = (consensus: string) => /^valid-after (.+)$/m.exec(consensus)?.[1] ?? "";

async function watchAuthorities(signal: AbortSignal): Promise<void> {
  const authorities = tornet.info.nodes.filter(({ role }) => role === "authority");
  while (!signal.aborted) {
    for (const { address, dirPort } of authorities) {
      const consensus = await fromAuthority(address, dirPort ?? 0).catch(() => "");
      const known = published.get(validAfter(consensus)) ?? new Set();
      published.set(validAfter(consensus), known.add(consensus));
    }
    await sleep(1000);
  }
}

const CONSENSUS_KEY = /^directory\/.*\/consensus$/;

type Entries = ReadonlyMap<string, Uint8Array | undefined>;

/** The same store; `onSet` is shown what is written. */
function recorded(store: Store, onSet: (entries: Entries) => void): Store {
  return {
    ...store,
    async set(entries) {
      await store.set(entries);
      onSet(entries);
    },
  };
}

/** The consensuses written, in order. */
function consensusesOf(store: Store): { store: Store; written: string[] } {
  const written: string[] = [];
  const onSet = (entries: Entries) => {
    for (const [key, value] of entries)
      if (CONSENSUS_KEY.test(key) && value) written.push(Buffer.from(value).toString("latin1"));
  };
  return { store: recorded(store, onSet), written };
}

async function copyOfYoung(): Promise<Store> {
  const store = memoryStore();
  await store.set(young);
  return store;
}

function youngConsensus(): string {
  const [, value] = [...young].find(([key]) => CONSENSUS_KEY.test(key)) ?? [];
  return Buffer.from(value ?? []).toString("latin1");
}

/** A client, and the circuits to exits that it has begun. */
function start(options: Partial<TorClientOptions>): { tor: TorClient; general: CircuitInfo[] } {
  const tor = new TorClient({
    ...{ dialer: nodeDialer(), store: memoryStore(), network: tornet.network, ...options },
  });
  onTestFinished(() => tor.close());
  const general: CircuitInfo[] = [];
  tor.addEventListener("circuit", ({ detail }) => {
    if (detail.purpose === "general" && detail.state === "building") general.push(detail);
  });
  return { tor, general };
}

it("follows the authorities by differences; two clients of a store fetch each consensus once", async () => {
  const { store, written } = consensusesOf(memoryStore());
  await start({ store }).tor.ready();
  await start({ store }).tor.ready();
  expect(written).toHaveLength(1);
  const times = () => new Set(written.map(validAfter));
  await vi.waitFor(() => expect(times().size).toBe(4), { timeout: 70_000, interval: 100 });
  // Both may ask at the same moment once in a while: they draw their times at random.
  expect(written.length).toBeLessThanOrEqual(5);
  for (const consensus of written) {
    await vi.waitFor(() => expect(published.get(validAfter(consensus))).toContain(consensus), WITHIN_SECONDS);
  }
  const applied = vi.mocked(applyConsensusDiff).mock.results.map(({ value }) => value as Promise<Uint8Array>);
  expect(applied.length).toBeGreaterThan(0);
  for (const bytes of await Promise.all(applied)) {
    expect(written).toContain(Buffer.from(bytes).toString("latin1"));
  }
});

it("renews what has expired while no client ran, before any circuit is begun", async () => {
  const { store: young, written } = consensusesOf(await copyOfYoung());
  const before = youngConsensus();
  expect(Date.parse(`${/^valid-until (.+)$/m.exec(before)?.[1]}Z`)).toBeLessThan(Date.now());
  const circuits: number[] = [];
  const { tor } = start({ store: young });
  tor.addEventListener("circuit", ({ detail: { purpose } }) => {
    if (purpose === "general") circuits.push(written.length);
  });
  expect((await tor.fetch(tornet.info.http.url)).status).toBe(200);
  expect(circuits.length).toBeGreaterThan(0);
  expect(circuits).not.toContain(0);
  expect(validAfter(written[0] ?? "") > validAfter(before)).toBe(true);
});

it("uses nothing that expired too long ago, where no newer one can be had", async () => {
  const { tor, general } = start({
    store: await copyOfYoung(),
    clock: new MovedClock(30 * MINUTE, 8),
  });
  expect((await failureOf(tor.fetch(tornet.info.http.url))).kind).toBe("directory-expired");
  expect(general).toEqual([]);
  const nowhere: Dialer = {
    dial: () => Promise.reject(new TorError("offline", "ALLIUM_E_OFFLINE", "no network")),
  };
  const alone = start({ store: await copyOfYoung(), clock: new MovedClock(30 * MINUTE, 8), dialer: nowhere });
  expect((await failureOf(alone.tor.fetch(tornet.info.http.url))).kind).toBe("offline");
  expect(alone.general).toEqual([]);
});

it("refuses to go on after a long sleep until there is a consensus of today", async () => {
  const clock = new MovedClock(0, 8);
  const { tor, general } = start({ clock, path: { preemptive: false } });
  expect((await tor.fetch(tornet.info.http.url)).status).toBe(200);
  clock.wall = 60 * MINUTE;
  clock.run = 60 * MINUTE;
  general.length = 0;
  expect((await failureOf(tor.fetch(tornet.info.http.url))).kind).toBe("directory-expired");
  expect(general).toEqual([]);
  // The network has caught up.
  clock.wall = 0;
  expect((await tor.fetch(tornet.info.http.url)).status).toBe(200);
});
