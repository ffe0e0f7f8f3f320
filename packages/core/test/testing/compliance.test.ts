import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Dialer, Store } from "../../src/base/ports.ts";
import {
  type Case,
  clockCases,
  type DialerSetup,
  dialerCases,
  duplexCases,
  duplexPair,
  ManualClock,
  storeCases,
} from "../../src/testing/index.ts";

function suite(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    for (const { name, run } of cases) it(name, run);
  });
}

const tick = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function pair() {
  const [near, far] = duplexPair();
  return { near, far };
}

/** A dialer to peers in memory. */
async function memoryDialer(): Promise<DialerSetup> {
  const dialer: Dialer = {
    async dial(target, options) {
      await tick();
      if (options?.signal?.aborted) throw options.signal.reason;
      if (!target.some(({ port }) => port === 7))
        throw new TorError("bridge-unreachable", "ALLIUM_E_DIAL", "nobody answers");
      const [near, far] = duplexPair();
      far.closed.catch(() => {});
      far.readable.pipeTo(far.writable).catch(() => {});
      return near;
    },
  };
  const at = (port: number) => ({ family: 4 as const, address: Uint8Array.of(127, 0, 0, 1), port });
  return { dialer, echo: at(7), nobody: at(9), dispose: async () => {} };
}

suite(
  "memoryStore",
  storeCases(async () => memoryStore()),
);
suite(
  "systemClock",
  clockCases(() => ({ clock: systemClock, pass: sleep })),
);
suite("ManualClock", clockCases(manual));
suite("duplexPair", duplexCases(pair));
suite("a dialer in memory", dialerCases(memoryDialer));

function manual() {
  const clock = new ManualClock();
  const pass = async (ms: number) => {
    clock.advance(ms);
    await tick();
  };
  return { clock, pass };
}

describe("ManualClock", () => {
  it("fires in order even when one step passes several timers", async () => {
    const clock = new ManualClock();
    const order: number[] = [];
    for (const ms of [30, 0, 15]) clock.timer(ms).fired.then(() => order.push(ms));
    clock.advance(100);
    await tick();
    expect(order).toEqual([0, 15, 30]);
  });

  it("sets the wall clock without time passing", async () => {
    const clock = new ManualClock(Date.UTC(2026, 5, 1));
    let fired = false;
    clock.timer(1000).fired.then(() => {
      fired = true;
    });
    clock.set(Date.UTC(2030, 0, 1));
    await tick();
    expect(clock.now()).toBe(Date.UTC(2030, 0, 1));
    expect(clock.monotonic()).toBe(0);
    expect(fired).toBe(false);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(1000);
    await tick();
    expect(fired).toBe(true);
    expect(clock.now()).toBe(Date.UTC(2030, 0, 1) + 1000);
    expect(clock.pendingTimers).toBe(0);
  });
});

/** Names of the cases that fail. */
async function failing(cases: readonly Case[]): Promise<string[]> {
  const names: string[] = [];
  for (const { name, run } of cases) await run().catch(() => names.push(name));
  return names;
}

describe("the suites find", () => {
  const store = (change: (good: Store) => Partial<Store>) =>
    failing(storeCases(async () => ({ ...memoryStore(), ...change(memoryStore()) })));

  it("a store that shares memory with its callers", async () => {
    const values = new Map<string, Uint8Array | undefined>();
    const names = await store(() => ({
      get: async (key) => values.get(key),
      set: async (entries) => {
        for (const [key, value] of [...entries]) values.set(key, value);
      },
    }));
    expect(names).toContain("the store keeps bytes of its own");
  });

  it("a store without deletion, one that is not atomic, one without locks", async () => {
    const kept = new Map<string, Uint8Array>();
    const names = await store(() => ({
      get: async (key) => kept.get(key)?.slice(),
      set: async (entries) => {
        for (const [key, value] of entries) if (value !== undefined) kept.set(key, value.slice());
      },
      lock: (_name, fn) => fn(),
    }));
    expect(names).toEqual(
      expect.arrayContaining([
        "undefined deletes, also what is not there",
        "a set that fails leaves everything as it was",
        "a lock is held by one at a time, in the order of asking",
        "values can be read and set under a lock",
      ]),
    );
  });

  it("a clock whose timers fire at once and cannot be cancelled", async () => {
    const clock = { ...systemClock, timer: () => ({ fired: Promise.resolve(), cancel() {} }) };
    expect(await failing(clockCases(() => ({ clock, pass: sleep })))).toEqual([
      "a timer fires when its time is over and not before",
      "timers fire in the order of their times",
      "a cancelled timer never fires, and cancelling again or late does no harm",
      "a timer of months does not fire at once",
    ]);
  });

  it("a pipe without back-pressure", async () => {
    const boundless = async () => {
      const [near, far] = duplexPair(2 ** 40);
      return { near, far };
    };
    expect(await failing(duplexCases(boundless))).toEqual([
      "a writer whose bytes nobody reads has to wait, and nothing is lost",
    ]);
  });

  it("a dialer that ignores its signal and invents peers", async () => {
    const names = await failing(
      dialerCases(async () => {
        const made = await memoryDialer();
        return { ...made, dialer: { dial: () => made.dialer.dial([made.echo]) } };
      }),
    );
    expect(names).toEqual([
      "a peer that does not answer is reported by its kind",
      "no address at all is refused",
      "a signal that has aborted stops the dial before it starts",
      "a signal that aborts stops the dial",
    ]);
  });
});
