import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromUtf8, toHex, utf8 } from "../../src/base/encoding.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { LogEvent, Store } from "../../src/base/ports.ts";
import type { NetDir, Relay } from "../../src/directory/api.ts";
import { parseGuardState } from "../../src/path/guard-state.ts";
import { type GuardEvent, SampledGuards } from "../../src/path/guards.ts";
import { PathSelector } from "../../src/path/select.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { exitRelay, guardRelay, netdir } from "./synthetic.ts";

const ANY = () => true;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const NETWORK = netdir([...Array.from({ length: 12 }, (_, id) => guardRelay(id)), exitRelay(20)]);

interface Bench {
  readonly guards: SampledGuards;
  readonly clock: ManualClock;
  readonly store: Store;
  readonly events: GuardEvent[];
  readonly logs: LogEvent[];
}

async function bench(store = memoryStore(), clock = new ManualClock()): Promise<Bench> {
  const events: GuardEvent[] = [];
  const logs: LogEvent[] = [];
  const guards = new SampledGuards({
    store,
    key: "guards",
    clock,
    sample: (view, allowed) => new PathSelector(view, true).sampleGuard(allowed),
    log: (event) => logs.push(event),
    onEvent: (event) => events.push(event),
  });
  await guards.load();
  return { guards, clock, store, events, logs };
}

function without(view: NetDir, ...gone: readonly Relay[]): NetDir {
  return netdir(view.relays.filter((relay) => !gone.includes(relay)));
}

describe("the guard", () => {
  it("is the same for every circuit", async () => {
    const { guards } = await bench();
    const first = await guards.next(NETWORK, ANY);
    for (let i = 0; i < 20; i++) expect(await guards.next(NETWORK, ANY)).toBe(first);
    expect(guards.export().guards).toHaveLength(1);
  });

  it("is the same after a restart, and was written down before it was first used", async () => {
    const { guards, store } = await bench();
    const first = await guards.next(NETWORK, ANY);
    const again = await bench(store);
    expect(await again.guards.next(NETWORK, ANY)).toBe(first);
    expect(again.events).toEqual([]);
  });

  it("is one with the flags Guard, Fast, Stable and V2Dir", async () => {
    const { guards } = await bench();
    const flawed = (["Guard", "Fast", "Stable", "V2Dir", "Valid"] as const).map((missing, id) =>
      guardRelay(id, {
        bandwidth: 10 ** 6,
        flags: (["Guard", "Fast", "Stable", "V2Dir", "Valid"] as const).filter((flag) => flag !== missing),
      }),
    );
    expect((await guards.next(netdir([...flawed, guardRelay(9, { bandwidth: 1 })]), ANY)).nickname).toBe(
      "Relay9",
    );
  });

  it("is confirmed by the first complete circuit", async () => {
    const { guards, clock, events } = await bench();
    const guard = await guards.next(NETWORK, ANY);
    expect(guards.export().guards[0]?.confirmed).toBe(false);
    clock.advance(MINUTE);
    guards.succeeded(guard);
    guards.succeeded(guard);
    expect(guards.export().guards[0]?.confirmed).toBe(true);
    expect(events.map(({ type }) => type)).toEqual(["sampled", "confirmed"]);
  });
});

describe("a guard that fails", () => {
  it("is left for another one until its time to be tried again", async () => {
    const { guards, clock } = await bench();
    const first = await guards.next(NETWORK, ANY);
    guards.failed(first);
    const second = await guards.next(NETWORK, ANY);
    expect(second).not.toBe(first);
    guards.succeeded(second);
    expect(await guards.next(NETWORK, ANY)).toBe(second);
    clock.advance(MINUTE);
    expect(await guards.next(NETWORK, ANY)).toBe(first);
  });

  it("waits longer after each failure", async () => {
    const { guards, clock } = await bench();
    const first = await guards.next(NETWORK, ANY);
    for (let i = 0; i < 3; i++) {
      clock.advance(2 * MINUTE);
      guards.failed(first);
      guards.succeeded(await guards.next(NETWORK, ANY));
    }
    clock.advance(3 * MINUTE);
    expect(await guards.next(NETWORK, ANY)).not.toBe(first);
    clock.advance(3 * MINUTE);
    expect(await guards.next(NETWORK, ANY)).toBe(first);
  });

  it("under many circuits at once has failed once", async () => {
    const { guards, clock, events } = await bench();
    const first = await guards.next(NETWORK, ANY);
    for (let i = 0; i < 20; i++) guards.failed(first);
    guards.succeeded(await guards.next(NETWORK, ANY));
    clock.advance(MINUTE);
    expect(await guards.next(NETWORK, ANY)).toBe(first);
    expect(events.filter(({ type }) => type === "failed")).toHaveLength(1);
  });

  it("keeps its place in the list", async () => {
    const { guards } = await bench();
    const first = await guards.next(NETWORK, ANY);
    guards.failed(first);
    await guards.next(NETWORK, ANY);
    expect(guards.export().guards[0]?.nickname).toBe(first.nickname);
  });

  it("never leads to more than three guards, however many fail", async () => {
    const { guards, clock } = await bench();
    for (let i = 0; i < 200; i++) {
      guards.failed(await guards.next(NETWORK, ANY));
      clock.advance(1000);
    }
    expect(guards.export().guards).toHaveLength(3);
  });

  it("is tried again at once when all fail, the longest failed first", async () => {
    const { guards, clock } = await bench();
    const order: Relay[] = [];
    for (let i = 0; i < 3; i++) {
      const guard = await guards.next(NETWORK, ANY);
      order.push(guard);
      guards.failed(guard);
      clock.advance(1000);
    }
    expect(await guards.next(NETWORK, ANY)).toBe(order[0]);
  });

  it("is preferred again once the network is back after a long silence", async () => {
    const { guards, clock } = await bench();
    const first = await guards.next(NETWORK, ANY);
    guards.succeeded(first);
    for (let i = 0; i < 6; i++) {
      clock.advance(8 * 60 * MINUTE);
      guards.failed(first);
    }
    const second = await guards.next(NETWORK, ANY);
    clock.advance(11 * MINUTE);
    guards.succeeded(second);
    expect(await guards.next(NETWORK, ANY)).toBe(first);
  });
});

describe("a guard that does not fit the path", () => {
  it("is passed over for this path only", async () => {
    const { guards } = await bench();
    const first = await guards.next(NETWORK, ANY);
    const second = await guards.next(NETWORK, (relay) => relay !== first);
    expect(second).not.toBe(first);
    expect(await guards.next(NETWORK, ANY)).toBe(first);
    expect(await guards.next(NETWORK, (relay) => relay !== first)).toBe(second);
  });

  it("ends in no-path when no guard fits", async () => {
    const { guards } = await bench();
    await expect(guards.next(NETWORK, () => false)).rejects.toMatchObject({
      kind: "no-path",
      code: "ALLIUM_E_NO_GUARD",
    });
  });
});

describe("a guard that the consensus no longer lists", () => {
  it("is replaced, and comes back when it is listed again", async () => {
    const { guards } = await bench();
    const first = await guards.next(NETWORK, ANY);
    const second = await guards.next(without(NETWORK, first), ANY);
    expect(second).not.toBe(first);
    expect(await guards.next(NETWORK, ANY)).toBe(first);
    expect(guards.export().guards[0]?.unlisted_since).toBeUndefined();
  });

  it("is also one that lost a flag which guards must have", async () => {
    const { guards } = await bench();
    const first = await guards.next(NETWORK, ANY);
    const demoted: Relay = { ...first, flags: new Set(["Valid", "Fast", "Stable", "V2Dir"] as const) };
    const view = netdir(NETWORK.relays.map((one) => (one === first ? demoted : one)));
    expect(await guards.next(view, ANY)).not.toBe(demoted);
  });

  it("is forgotten after twenty days, not before", async () => {
    const { guards, clock, events } = await bench();
    const first = await guards.next(NETWORK, ANY);
    const view = without(NETWORK, first);
    await guards.next(view, ANY);
    clock.advance(19 * DAY);
    await guards.next(view, ANY);
    expect(guards.export().guards.map(({ nickname }) => nickname)).toContain(first.nickname);
    clock.advance(2 * DAY);
    await guards.next(view, ANY);
    expect(guards.export().guards.map(({ nickname }) => nickname)).not.toContain(first.nickname);
    expect(events.at(-1)).toMatchObject({ type: "removed", nickname: first.nickname });
  });
});

describe("the stored state", () => {
  const corrupt = ["", "{", "[]", "null", '{"version":2}', '{"version":1,"last_updated":"x","guards":[]}'];

  it.each(corrupt)("that cannot be read is set aside: %j", async (text) => {
    const store = memoryStore();
    await store.set(new Map([["guards", utf8(text)]]));
    const { guards, logs } = await bench(store);
    expect(logs).toMatchObject([{ level: "warn", code: "guards.corrupt" }]);
    expect(fromUtf8((await store.get("guards.corrupt")) ?? utf8("?"))).toBe(text);
    expect(await store.get("guards")).toBeUndefined();
    await guards.next(NETWORK, ANY);
    expect(guards.export().guards).toHaveLength(1);
  });

  it("that is random bytes never stops the client", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), fc.json().map(utf8)), async (bytes) => {
        const store = memoryStore();
        await store.set(new Map([["guards", bytes]]));
        const { guards } = await bench(store);
        expect(guards.export().guards).toEqual([]);
      }),
    );
  });

  it("is versioned", async () => {
    const { guards, store } = await bench();
    await guards.next(NETWORK, ANY);
    const stored: unknown = JSON.parse(fromUtf8((await store.get("guards")) ?? utf8("")));
    expect(stored).toMatchObject({ version: 1, guards: [{ confirmed: false }] });
  });

  it("that cannot be written costs a warning, not the circuit", async () => {
    const store: Store = { ...memoryStore(), set: () => Promise.reject(new Error("quota")) };
    const { guards, logs } = await bench(store);
    await guards.next(NETWORK, ANY);
    expect(logs.filter(({ level }) => level === "warn")).toMatchObject([{ code: "guards.not-saved" }]);
  });

  it("never reaches a log line at info or above", async () => {
    const { guards, logs } = await bench();
    const guard = await guards.next(NETWORK, ANY);
    guards.failed(guard);
    guards.succeeded(guard);
    const visible = JSON.stringify(logs.filter(({ level }) => level !== "debug"));
    expect(visible).not.toContain(toHex(guard.rsaId).toUpperCase());
    expect(visible).not.toContain(guard.nickname);
  });
});

describe("export and import", () => {
  it("carry the guard to another place, field for field", async () => {
    const here = await bench();
    const guard = await here.guards.next(NETWORK, ANY);
    here.guards.succeeded(guard);
    const state = here.guards.export();
    expect(Object.keys(state)).toEqual(["last_updated", "guards"]);
    expect(Object.keys(state.guards[0] ?? {})).toEqual([
      ...["fingerprint", "nickname", "address", "first_used", "last_used", "confirmed"],
    ]);
    const there = await bench();
    await there.guards.import(JSON.parse(JSON.stringify(state)));
    expect(await there.guards.next(NETWORK, ANY)).toBe(guard);
    expect(await (await bench(there.store)).guards.next(NETWORK, ANY)).toBe(guard);
  });

  it("refuse what is not a guard state and keep what there was", async () => {
    const { guards } = await bench();
    const guard = await guards.next(NETWORK, ANY);
    const { guards: records, last_updated } = guards.export();
    const [record] = records;
    const broken = [
      ...[null, 7, [], {}, { last_updated, guards: {} }, { last_updated: "yesterday", guards: [] }],
      ...[
        { last_updated, guards: [record, record] },
        { last_updated, guards: new Array(61).fill(record) },
      ],
      ...[{ fingerprint: "zz" }, { nickname: "no good" }, { address: 7 }, { confirmed: "yes" }].map(
        (wrong) => ({
          last_updated,
          guards: [{ ...record, ...wrong }],
        }),
      ),
    ];
    for (const state of broken) {
      await expect(guards.import(state)).rejects.toMatchObject({ code: "ALLIUM_E_BAD_GUARD_STATE" });
    }
    expect(await guards.next(NETWORK, ANY)).toBe(guard);
  });

  it("accept times with other offsets and write them in one form", () => {
    const times = { first_used: "2026-01-01T01:00:00+01:00", last_used: "2026-01-01T00:00:00Z" };
    const record = {
      fingerprint: "ab".repeat(20),
      nickname: "a",
      address: "192.0.2.1:9001",
      confirmed: true,
      ...times,
    };
    const state = parseGuardState({ last_updated: "2026-01-01T00:00:00.5Z", guards: [record] });
    expect(state.guards[0]).toMatchObject({
      fingerprint: "AB".repeat(20),
      first_used: "2026-01-01T00:00:00.000Z",
    });
  });

  it("reset forgets everything, for good", async () => {
    const { guards, store } = await bench();
    await guards.next(NETWORK, ANY);
    await guards.reset();
    expect(guards.export().guards).toEqual([]);
    expect((await bench(store)).guards.export().guards).toEqual([]);
  });
});
