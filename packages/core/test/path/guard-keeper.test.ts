// GuardKeeper: what it stores and says of circuits (guard-spec 4.6 to 4.9, path-spec 7).

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { NetDir, Relay } from "../../src/directory/api.ts";
import type { GuardKeeper } from "../../src/path/guard-keeper.ts";
import type { GuardTicket } from "../../src/path/guard-ticket.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { settle } from "./fakes.ts";
import { ANY, bench, DESTROYED, isDone, MINUTE, NETWORK, nameOf, SILENT } from "./guard-bench.ts";
import { guardRelay, netdir } from "./synthetic.ts";

const AGE_OF_GUARDS = 40 * 24 * 60 * MINUTE;

describe("the guards", () => {
  it("are written down before one is used, and are the same after a restart", async () => {
    const { choose, store, guards } = await bench();
    const first = await choose();
    const stored: unknown = JSON.parse(fromUtf8((await store.get("guards")) ?? utf8("")));
    expect(stored).toMatchObject({ version: 2, guards: expect.any(Array) });
    await first.built();
    await guards.flush();
    const again = await bench(store);
    expect(nameOf((await again.choose()).relay)).toBe(nameOf(first.relay));
    expect(again.events.filter(({ type }) => type === "sampled")).toEqual([]);
  });

  it("that an earlier version stored are taken over, in their order", async () => {
    const store = memoryStore();
    const time = new Date(Date.now() - AGE_OF_GUARDS).toISOString();
    const old = [7, 3].map((id) => ({
      ...{ fingerprint: nameOf(guardRelay(id)), nickname: `Relay${id}`, address: "10.7.0.1:9001" },
      ...{ first_used: time, last_used: time, confirmed: true },
    }));
    await store.set(
      new Map([["guards", utf8(JSON.stringify({ version: 1, last_updated: time, guards: old }))]]),
    );
    const { choose, logs } = await bench(store, new ManualClock());
    expect([nameOf(guardRelay(7)), nameOf(guardRelay(3))]).toContain(nameOf((await choose()).relay));
    expect(logs.filter(({ level }) => level === "warn")).toEqual([]);
  });

  it.each(["", "{", "[]", "null", '{"version":3}', '{"version":2,"last_updated":"x","guards":[]}'])(
    "that cannot be read are set aside, reported and replaced: %j",
    async (text) => {
      const store = memoryStore();
      await store.set(new Map([["guards", utf8(text)]]));
      const { choose, logs } = await bench(store);
      expect(logs).toMatchObject([{ level: "warn", code: "guards.corrupt" }]);
      expect(fromUtf8((await store.get("guards.corrupt")) ?? utf8("?"))).toBe(text);
      expect(await store.get("guards")).toBeUndefined();
      const { relay } = await choose();
      expect(fromUtf8((await store.get("guards")) ?? utf8(""))).toContain(nameOf(relay));
    },
  );

  it("that are random bytes never stop the client", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), fc.json().map(utf8)), async (bytes) => {
        const store = memoryStore();
        await store.set(new Map([["guards", bytes]]));
        expect((await bench(store)).guards.export().guards).toEqual([]);
      }),
    );
  });

  it("that cannot be written cost a warning, not the circuit", async () => {
    const { choose, logs } = await bench({ ...memoryStore(), set: () => Promise.reject(new Error("quota")) });
    await choose();
    expect(logs.filter(({ level }) => level === "warn")).toMatchObject([{ code: "guards.not-saved" }]);
  });

  it("never reach a log line at info or above", async () => {
    const { choose, logs, fail } = await bench();
    await (await choose()).built();
    const failed = await fail();
    expect(JSON.stringify(logs.filter(({ level }) => level !== "debug"))).not.toContain(failed);
  });

  it("are written down once at a reset", async () => {
    const store = memoryStore();
    let writings = 0;
    const { guards, choose } = await bench({
      ...store,
      set: (entries) => {
        writings++;
        return store.set(entries);
      },
    });
    await choose();
    writings = 0;
    await guards.reset();
    await guards.flush();
    expect(writings).toBe(1);
  });

  it("are carried elsewhere by export and import, and forgotten by reset, for good", async () => {
    const here = await bench();
    const ticket = await here.choose();
    await ticket.built();
    const state = here.guards.export();
    const names = ["fingerprint", "nickname", "address", "first_used", "last_used", "confirmed"];
    expect(Object.keys(state.guards[0] ?? {})).toEqual(expect.arrayContaining(names));
    const there = await bench();
    await there.guards.import(JSON.parse(JSON.stringify(state)));
    expect(nameOf((await there.choose()).relay)).toBe(nameOf(ticket.relay));
    expect(nameOf((await (await bench(there.store)).choose()).relay)).toBe(nameOf(ticket.relay));
    await expect(there.guards.import({ guards: [] })).rejects.toMatchObject({
      code: "ALLIUM_E_BAD_GUARD_STATE",
    });
    await there.guards.reset();
    expect((await bench(there.store)).guards.export().guards.some(({ confirmed }) => confirmed)).toBe(false);
  });
});

describe("a view that lacks the microdescriptors of guards", () => {
  it("still has them sampled, and they are needed before any circuit is built", async () => {
    const { guards } = await bench();
    const all = Array.from({ length: 40 }, (_, id) => guardRelay(id));
    const half: NetDir = { ...NETWORK, ...viewOf(all.slice(0, 1), all.slice(1)) };
    guards.prepare(half);
    const names = new Set(guards.export().guards.map(({ fingerprint }) => fingerprint));
    expect(names.size).toBe(20);
    const needed = guards.neededIds();
    expect(needed.size).toBeGreaterThan(0);
    for (const one of needed) expect(names).toContain(one);
    await expect(guards.choose(half, "data", ANY)).rejects.toMatchObject({ code: "ALLIUM_E_NO_GUARD" });
    const ticket = await guards.choose({ ...NETWORK, ...viewOf(all, []) }, "data", ANY);
    expect(names).toContain(nameOf(ticket.relay));
  });

  function viewOf(described: readonly Relay[], undescribed: readonly Relay[]) {
    const { relays, byRsaId, byEd25519Id, undescribed: missing } = netdir(described, { undescribed });
    return { relays, byRsaId, byEd25519Id, undescribed: missing };
  }
});

describe("a circuit", () => {
  it("through a primary guard may be used when it is complete", async () => {
    const { choose } = await bench();
    await (await choose()).built();
  });

  /** Circuits through guards that are not primary, and then the primary ones may be reachable after all. */
  async function behindPrimary(count: number) {
    const rig = await bench();
    const { choose, guards } = rig;
    const failed: Relay[] = [];
    const confirmed = new Set<Relay>();
    for (let i = 0; i < 3; i++) {
      const ticket = await choose((relay) => !confirmed.has(relay));
      confirmed.add(ticket.relay);
      await ticket.built();
      ticket.closed(undefined);
    }
    for (let i = 0; i < 3; i++) {
      const ticket = await choose();
      failed.push(ticket.relay);
      ticket.failed(SILENT, false);
    }
    const others: GuardTicket[] = [];
    for (let i = 0; i < count; i++) others.push(await choose());
    for (const { relay } of others) expect(failed).not.toContain(relay);
    guards.networkChanged();
    const usable = others.map((ticket) => ticket.built());
    for (const promise of usable) promise.catch(() => {});
    return { ...rig, others, usable };
  }

  it("through another one waits until the better ones have failed", async () => {
    const { choose, usable } = await behindPrimary(1);
    expect(await isDone(usable[0] as Promise<void>)).toBe(false);
    for (let i = 0; i < 3; i++) (await choose()).failed(SILENT, false);
    expect(await isDone(usable[0] as Promise<void>)).toBe(true);
  });

  it("that waits has another one begun, so that better guards are tried", async () => {
    const { usable, choose, wanted, clock } = await behindPrimary(1);
    expect(wanted).toHaveLength(1);
    const ticket = await choose();
    clock.advance(10_000);
    await settle();
    expect(wanted).toHaveLength(1);
    ticket.failed(SILENT, false);
    expect(wanted).toHaveLength(2);
    expect(await isDone(usable[0] as Promise<void>)).toBe(false);
  });

  it("that waits has no second one begun within a second, be there two that wait", async () => {
    const { wanted, clock } = await behindPrimary(2);
    expect(wanted).toHaveLength(1);
    clock.advance(5000);
    await settle();
    expect(wanted).toHaveLength(2);
  });

  it("that waits for another one may be used as soon as that one is gone", async () => {
    const { choose, usable, others } = await behindPrimary(2);
    for (let i = 0; i < 3; i++) (await choose()).failed(SILENT, false);
    expect(await isDone(usable[0] as Promise<void>)).toBe(true);
    expect(await isDone(usable[1] as Promise<void>)).toBe(false);
    others[0]?.closed(undefined);
    expect(await isDone(usable[1] as Promise<void>)).toBe(true);
  });

  it.each<[string, (guards: GuardKeeper) => Promise<void>]>([
    ["reset", (guards) => guards.reset()],
    ["import", (guards) => guards.import({ ...guards.export(), guards: [] })],
  ])("that waits is given up at once when its guard is forgotten by %s", async (_, forget) => {
    const { guards, usable } = await behindPrimary(1);
    await forget(guards);
    await expect(usable[0]).rejects.toMatchObject({ code: "ALLIUM_E_BETTER_GUARD" });
  });

  it("that waits too long is given up, and so is one that breaks while it waits", async () => {
    const { usable, others, clock } = await behindPrimary(2);
    others[1]?.closed(undefined);
    await expect(usable[1]).rejects.toMatchObject({ code: "ALLIUM_E_BETTER_GUARD" });
    clock.advance(9 * MINUTE);
    expect(await isDone(usable[0] as Promise<void>)).toBe(false);
    for (let i = 0; i < 3; i++) {
      clock.advance(MINUTE);
      await settle();
    }
    await expect(usable[0]).rejects.toMatchObject({
      kind: "circuit-collapse",
      code: "ALLIUM_E_BETTER_GUARD",
    });
  });

  it("says what became of it once: what comes later counts nothing", async () => {
    const { choose, events } = await bench();
    const ticket = await choose();
    ticket.gaveUp();
    ticket.failed(SILENT, false);
    ticket.failedLater(DESTROYED);
    await ticket.built();
    expect(events.filter(({ type }) => type !== "sampled")).toEqual([]);
  });
});

describe("path bias", () => {
  /** What is stored of circuits through the first guard. */
  async function afterFailures(error: TorError, bridges: readonly string[], built: boolean) {
    const { choose, guards, watch } = await bench();
    const ticket = await choose();
    watch.reached(nameOf(ticket.relay), new Set(bridges));
    if (built) {
      await ticket.built();
      ticket.closed(error);
    } else {
      ticket.failedLater(error);
    }
    const record = guards.export().guards.find(({ fingerprint }) => fingerprint === nameOf(ticket.relay));
    return [record?.pb_circ_attempts ?? 0, record?.pb_circ_successes ?? 0];
  }
  const TIMEOUT = new TorError("circuit-collapse", "ALLIUM_E_CIRCUIT_TIMEOUT", "not in time");

  it("counts circuits that fail behind the guard, and those that break once they are built", async () => {
    expect(await afterFailures(DESTROYED, ["one"], false)).toEqual([1, 0]);
    expect(await afterFailures(DESTROYED, ["one"], true)).toEqual([1, 0]);
    expect(await afterFailures(TIMEOUT, [], false)).toEqual([1, 0]);
  });

  it("does not count what a bridge or our own network may have done", async () => {
    expect(await afterFailures(TIMEOUT, ["one"], false)).toEqual([0, 0]);
    expect(await afterFailures(SILENT, [], false)).toEqual([0, 0]);
    expect(await afterFailures(SILENT, ["one"], true)).toEqual([1, 1]);
  });
});
