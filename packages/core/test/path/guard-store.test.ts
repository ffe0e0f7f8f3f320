// GuardStore: what comes of two samples when another client wrote meanwhile (guard-keeper.test.ts has what cannot be read).

import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/base/encoding.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Store } from "../../src/base/ports.ts";
import { GuardStore } from "../../src/path/guard-store.ts";
import { type GuardRecord, type GuardState, timeText } from "../../src/path/guards/state.ts";
import { confirmed, DAY, record, START, state } from "./guards/support.ts";

/** A client whose sample is `guards`, and what it took over from others. */
function client(store: Store, ...guards: readonly GuardRecord[]) {
  const warnings: string[] = [];
  const taken: GuardState[] = [];
  const guardStore = new GuardStore(store, "guards", (code) => warnings.push(code));
  let now = state(...guards);
  const write = () =>
    guardStore.write(
      () => now,
      (other) => {
        taken.push(other);
        now = other;
      },
    );
  const replace = () => guardStore.replace(() => now);
  return { ...{ warnings, taken, write, replace }, load: () => guardStore.load() };
}

const circuits = (pb_circ_attempts: number) => ({ pb_circ_attempts, pb_circ_successes: 1 });
const disabled = { disabled: true } as const;
const later = { first_used: timeText(START), last_used: timeText(START) };

/** What is theirs, what is ours, and what both come to. */
const MERGED: [string, GuardRecord[], GuardRecord[], GuardRecord[]][] = [
  ["theirs in their order", [record(2), record(1)], [record(1), record(2)], [record(2), record(1)]],
  ["none of ours that was only sampled", [record(1)], [record(2)], [record(1)]],
  ["ours that carried a circuit, last", [record(1)], [confirmed(2, 0)], [record(1), confirmed(2, 0)]],
  ["confirmed ones in one order", [confirmed(1, 0)], [confirmed(2, 0)], [confirmed(1, 0), confirmed(2, 1)]],
  ["a guard as confirmed as ours is", [record(1)], [confirmed(1, 0)], [confirmed(1, 0)]],
  ["a guard as confirmed as theirs is", [confirmed(1, 0)], [record(1, circuits(9))], [confirmed(1, 0)]],
  ["a guard that we disabled", [confirmed(1, 0)], [record(1, disabled)], [record(1, disabled)]],
  [
    "a guard that we disabled, counts or not",
    [record(1, circuits(9))],
    [record(1, disabled)],
    [record(1, disabled)],
  ],
  ["a guard that they disabled", [record(1, disabled)], [confirmed(1, 0)], [record(1, disabled)]],
  [
    "our counts where they are more",
    [record(1, circuits(2))],
    [record(1, circuits(3))],
    [record(1, circuits(3))],
  ],
  ["our counts where they have none", [record(1)], [record(1, circuits(1))], [record(1, circuits(1))]],
  [
    "their counts where they are more",
    [record(1, circuits(3))],
    [record(1, circuits(2))],
    [record(1, circuits(3))],
  ],
  ["their dates where nothing else differs", [record(1)], [record(1, later)], [record(1)]],
];

describe("a client that finds that another one wrote", () => {
  it.each(MERGED)("has %s", async (_, theirs, ours, both) => {
    const store = memoryStore();
    const [other, one] = [client(store, ...theirs), client(store, ...ours)];
    await other.write();
    expect(await one.write()).toBe(true);
    expect(one.taken.map(({ guards }) => guards)).toEqual([both]);
    expect((await client(store).load())?.guards).toEqual(both);
  });

  it("has their time of the last change", async () => {
    const store = memoryStore();
    const last_updated = timeText(START - DAY);
    const theirs = { version: 2, epoch: "e", revision: 1, last_updated, guards: [] };
    await store.set(new Map([["guards", utf8(JSON.stringify(theirs))]]));
    const one = client(store, confirmed(1, 0));
    await one.write();
    expect(one.taken).toMatchObject([{ last_updated, guards: [confirmed(1, 0)] }]);
  });

  it("brings nothing back where that one replaced all, unless it had not seen a sample yet", async () => {
    const store = memoryStore();
    const [seen, unseen] = [client(store, confirmed(1, 0)), client(store, confirmed(2, 0))];
    await seen.write();
    await client(store, record(3)).replace();
    await seen.write();
    await unseen.write();
    expect(seen.taken.map(({ guards }) => guards)).toEqual([[record(3)]]);
    expect(unseen.taken.map(({ guards }) => guards)).toEqual([[record(3), confirmed(2, 0)]]);
  });
});

describe("what a client wrote", () => {
  it("is told from what another one had seen before, though it had itself not seen the last", async () => {
    const store = memoryStore();
    const [first, late, other] = [
      client(store, record(1)),
      client(store, record(1)),
      client(store, record(1)),
    ];
    await first.write();
    await late.load();
    await first.write();
    await other.load();
    await late.write();
    await other.write();
    expect(other.taken).toHaveLength(1);
  });
});

describe("a client that wrote last", () => {
  it("takes nothing over, be it what it wrote, loaded or replaced", async () => {
    const store = memoryStore();
    const one = client(store, record(1));
    await one.write();
    await one.write();
    await one.replace();
    await one.write();
    const next = client(store, record(1));
    await next.load();
    await next.write();
    expect([one.taken, next.taken]).toEqual([[], []]);
  });

  it("is not told twice of one writing", async () => {
    const store = memoryStore();
    const [other, one] = [client(store, record(1)), client(store, record(2))];
    await other.write();
    await one.write();
    await one.write();
    expect(one.taken).toHaveLength(1);
  });
});

it("what cannot be read is written over", async () => {
  const store = memoryStore();
  await store.set(new Map([["guards", utf8("{")]]));
  const one = client(store, record(1));
  expect(await one.write()).toBe(true);
  expect(one.taken).toEqual([]);
  expect((await client(store).load())?.guards).toEqual([record(1)]);
});

it("a store that goes on failing is complained of once, and again when it had worked meanwhile", async () => {
  const store = memoryStore();
  let isFull = true;
  const set: Store["set"] = (entries) => (isFull ? Promise.reject(new Error("quota")) : store.set(entries));
  const { write, warnings } = client({ ...store, set }, record(1));
  expect([await write(), await write()]).toEqual([false, false]);
  expect(warnings).toEqual(["guards.not-saved"]);
  isFull = false;
  expect(await write()).toBe(true);
  isFull = true;
  await write();
  expect(warnings).toEqual(["guards.not-saved", "guards.not-saved"]);
});
