// Bad weather around the client: a wrong clock (docs/errors.md), two clients on one store, storage that is full or denied. What
// it does then, what it says, and that nothing is lost.

import { nodeDialer } from "@allium/bridge";
import {
  type LogEvent,
  memoryStore,
  type Store,
  TorClient,
  type TorClientOptions,
  TorError,
} from "@allium/core";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { circuitOf, failureOf, MovedClock } from "./helpers.ts";

const network = inject("network");
const { http } = inject("info");
const HOUR = 3600_000;

interface Started {
  readonly tor: TorClient;
  /** Codes of warnings, in order. */
  readonly warnings: () => string[];
}

function start(options: Partial<TorClientOptions> = {}): Started {
  const logged: LogEvent[] = [];
  const tor = new TorClient({
    ...{ dialer: nodeDialer(), store: memoryStore(), network },
    ...{ log: (event) => logged.push(event), ...options },
  });
  onTestFinished(() => tor.close());
  return { tor, warnings: () => logged.filter(({ level }) => level === "warn").map(({ code }) => code) };
}

async function fetchPage(tor: TorClient): Promise<void> {
  expect((await tor.fetch(http.url, { isolation: crypto.randomUUID() })).status).toBe(200);
}

async function guardsOf(tor: TorClient): Promise<string[]> {
  return (await tor.guards.export()).guards.map(({ fingerprint }) => fingerprint);
}

/** What a client has stored that has fetched a page, and its guards. */
async function visited(): Promise<{ store: Store; guards: string[] }> {
  const store = memoryStore();
  const { tor } = start({ store });
  await fetchPage(tor);
  const guards = await guardsOf(tor);
  await tor.close();
  return { store, guards };
}

describe("a clock that is wrong", () => {
  it.each([-0.5, 0.5])("by %d hours harms nothing", async (hours) => {
    await fetchPage(start({ clock: new MovedClock(hours * HOUR) }).tor);
  });

  // Relays' link certificates hold for two days: of more the link's own error speaks.
  it.each([
    [-5, "ALLIUM_E_CLOCK_WRONG"],
    [5, "ALLIUM_E_CLOCK_WRONG"],
    [-72, "ALLIUM_E_CLOCK_WRONG"],
    [72, "ALLIUM_E_CLOCK_SKEW"],
  ])("by %d hours is said, and works once it is set right: with nothing stored", async (hours, code) => {
    const clock = new MovedClock(hours * HOUR, 8);
    const { tor } = start({ clock });
    const failure = await failureOf(tor.fetch(http.url));
    expect(failure).toEqual({ kind: "clock-skew", code });
    expect(tor.status).toMatchObject({ ready: false, blocked: { code } });
    clock.wall = 0;
    await fetchPage(tor);
  });

  it.each([-5, 5, -72, 72, 24 * 365])("by %d hours loses no guard that is stored", async (hours) => {
    const { store, guards } = await visited();
    const clock = new MovedClock(hours * HOUR, 8);
    const wrong = start({ store, clock });
    const failure = await failureOf(wrong.tor.fetch(http.url));
    expect(failure.kind).toBe("clock-skew");
    await wrong.tor.close();
    const right = start({ store });
    await fetchPage(right.tor);
    expect(await guardsOf(right.tor)).toEqual(guards);
  });

  // The relays' word of the time is as old as their links, so the consensus's own error may speak.
  it.each([
    [5, ["ALLIUM_E_CLOCK_WRONG", "ALLIUM_E_CONSENSUS_EXPIRED"]],
    [-5, ["ALLIUM_E_CLOCK_WRONG", "ALLIUM_E_CONSENSUS_FROM_FUTURE"]],
  ])("by %d hours from one moment to the next is said by a client that runs", async (hours, codes) => {
    const clock = new MovedClock(0, 8);
    const { tor } = start({ clock });
    await fetchPage(tor);
    clock.wall = hours * HOUR;
    const { code } = await failureOf(tor.fetch(http.url));
    clock.wall = 0;
    await fetchPage(tor);
    expect(codes).toContain(code);
  });
});

describe("two clients on one store", () => {
  it("started together have one sample of guards, and what is stored is whole", async () => {
    const store = memoryStore();
    const both = [start({ store }), start({ store })];
    await Promise.all(both.flatMap(({ tor }) => Array.from({ length: 5 }, () => fetchPage(tor))));
    const [first = [], second = []] = await Promise.all(both.map(({ tor }) => guardsOf(tor)));
    expect(first.length).toBeGreaterThan(0);
    expect(second).toEqual(first);
    const used = await Promise.all(
      both.map(async ({ tor }) => (await circuitOf(tor, http.url)).hops[0]?.nickname),
    );
    expect(used[0]).toBe(used[1]);
    await Promise.all(both.map(({ tor }) => tor.close()));
    const third = start({ store });
    expect(await guardsOf(third.tor)).toEqual(first);
    await fetchPage(third.tor);
    expect(third.warnings()).toEqual([]);
  });
});

type Operation = "get" | "set" | "lock";

/** A store that refuses what `denies` says. */
function moodyStore(store: Store, denies: (operation: Operation, name: string) => boolean): Store {
  const ask = (operation: Operation, name: string) => {
    if (denies(operation, name))
      throw new TorError("storage-denied", "ALLIUM_E_STORAGE_QUOTA", "the storage is full");
  };
  return {
    get: async (key) => {
      ask("get", key);
      return store.get(key);
    },
    set: async (entries) => {
      for (const key of entries.keys()) ask("set", key);
      await store.set(entries);
    },
    lock: async (name, fn) => {
      ask("lock", name);
      return store.lock(name, fn);
    },
  };
}

describe("storage that fails", () => {
  it.each<[string, Operation[]]>([
    ["full", ["set"]],
    ["without locks", ["lock"]],
  ])("%s: the client works, says it once, and the guards stay stored", async (_, operations) => {
    const { store, guards } = await visited();
    const { tor, warnings } = start({
      store: moodyStore(store, (operation) => operations.includes(operation)),
    });
    for (let i = 0; i < 3; i++) await fetchPage(tor);
    expect(await guardsOf(tor)).toEqual(guards);
    await tor.close();
    expect(warnings().length).toBeGreaterThan(0);
    expect(new Set(warnings()).size).toBe(warnings().length);
    expect(await guardsOf(start({ store }).tor)).toEqual(guards);
  });

  it("full from the first start on: the client works, and says it once", async () => {
    const { tor, warnings } = start({ store: moodyStore(memoryStore(), (operation) => operation === "set") });
    for (let i = 0; i < 3; i++) await fetchPage(tor);
    await tor.close();
    expect(warnings()).toContain("guards.not-saved");
    expect(new Set(warnings()).size).toBe(warnings().length);
  });

  it("denied when the client starts: it samples no other guards, and works once the storage does", async () => {
    const { store, guards } = await visited();
    let denied = true;
    const { tor } = start({ store: moodyStore(store, () => denied) });
    expect(await failureOf(tor.fetch(http.url))).toEqual({
      kind: "storage-denied",
      code: "ALLIUM_E_STORAGE_QUOTA",
    });
    denied = false;
    await fetchPage(tor);
    expect(await guardsOf(tor)).toEqual(guards);
  });

  it("denied while the client runs: it goes on", async () => {
    const { store, guards } = await visited();
    let denied = false;
    const { tor, warnings } = start({ store: moodyStore(store, () => denied) });
    await fetchPage(tor);
    denied = true;
    for (let i = 0; i < 3; i++) await fetchPage(tor);
    await tor.close();
    expect(new Set(warnings()).size).toBe(warnings().length);
    expect(await guardsOf(start({ store }).tor)).toEqual(guards);
  });

  it("full until the client is closed: the guards are stored then", async () => {
    const store = memoryStore();
    let full = true;
    const { tor } = start({ store: moodyStore(store, (operation) => full && operation === "set") });
    await fetchPage(tor);
    const guards = await guardsOf(tor);
    full = false;
    await tor.close();
    expect(await guardsOf(start({ store }).tor)).toEqual(guards);
  });

  it("full, and the stored guards are damaged: the client works", async () => {
    const { store } = await visited();
    const damaged: Store = {
      ...store,
      get: async (key) => (key.startsWith("guards/") ? Buffer.from("{") : store.get(key)),
    };
    const { tor, warnings } = start({ store: moodyStore(damaged, (operation) => operation === "set") });
    await fetchPage(tor);
    expect(warnings()).toContain("guards.corrupt");
  });
});
