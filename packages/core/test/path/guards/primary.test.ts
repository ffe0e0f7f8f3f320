// Confirmed and primary guards, their order, and what always holds (guard-spec 4.3, 4.4). Cases of C tor's test_entrynodes.c:
// confirming_guards, manage_primary, correct_cascading_order.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { timeText } from "../../../src/path/guards/state.ts";
import {
  age,
  Bench,
  confirmed,
  DAY,
  GUARDS,
  HOUR,
  ids,
  range,
  record,
  relays,
  START,
  state,
  view,
  without,
} from "./support.ts";

describe("a confirmed guard", () => {
  it("is one that a circuit was completed through, dated at random between sampling and now", () => {
    const dates = range(0, 40).map(() => {
      const bench = new Bench();
      bench.succeed();
      const guard = bench.stored(0);
      expect(bench.heard("confirmed")).toEqual(["Relay0"]);
      expect(guard).toMatchObject({ confirmed: true, confirmed_index: 0, first_used: guard?.confirmed_on });
      expect(age(guard?.confirmed_on)).toBeGreaterThanOrEqual(0);
      expect(age(guard?.confirmed_on)).toBeLessThanOrEqual(age(guard?.added_on));
      return age(guard?.confirmed_on);
    });
    expect(Math.max(...dates) - Math.min(...dates)).toBeGreaterThan(DAY);
  });

  it("keeps its place in the order of confirmation, over a restart too", () => {
    const bench = new Bench();
    const circuits = [bench.select(), bench.select("directory"), bench.select("directory")];
    while (new Set(circuits.map(({ relay }) => relay)).size < 3) circuits.push(bench.select("directory"));
    const order = [...new Set(circuits.reverse().map(({ relay }) => relay.nickname))];
    for (const circuit of circuits) bench.sample.succeeded(circuit);
    const after = new Bench();
    after.sample.adopt(bench.sample.export());
    const guards = after.sample.export().guards.filter((guard) => guard.confirmed);
    guards.sort((a, b) => (a.confirmed_index ?? 9) - (b.confirmed_index ?? 9));
    expect(guards.map((guard) => guard.nickname)).toEqual(order);
  });

  it("notes its last use to the hour, so as not to be written down all the time", () => {
    const bench = new Bench();
    bench.succeed();
    bench.sample.takeDirty();
    bench.advance(HOUR - 2000);
    bench.succeed();
    const isDirty = bench.sample.takeDirty();
    bench.advance(2 * HOUR);
    bench.succeed();
    expect(bench.sample.takeDirty()).toBe(true);
    expect(bench.stored(0)?.last_used).toBe(timeText(START + 2 * HOUR));
    bench.advance(1000);
    bench.succeed();
    expect([isDirty, bench.sample.takeDirty()]).toEqual([false, false]);
  });
});

describe("the primary guards", () => {
  it("are the first three of the sample while none is confirmed, and stay so", () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i++) {
      expect(bench.primary).toEqual(ids(0, 1, 2));
      bench.sample.update(view());
    }
  });

  it.each([1, 2, 5])("are %i if the network says so", (count) => {
    const bench = new Bench(view(400, { params: { "guard-n-primary-guards": count } }));
    expect(bench.primary).toEqual(ids(...range(0, count)));
  });

  it("are those first that are confirmed, in the order of the sample", () => {
    const bench = new Bench();
    bench.sample.adopt(state(record(0), record(1), confirmed(2, 1), record(3), confirmed(4, 0)));
    expect(bench.primary).toEqual(ids(0, 2, 4));
    bench.sample.adopt(state(record(0), confirmed(1, 3), confirmed(2, 1), confirmed(3, 2), confirmed(4, 0)));
    expect(bench.primary).toEqual(ids(1, 2, 3));
  });

  it("give way to one that is confirmed: the last that is not goes, and the new one comes by its place", () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i++) bench.fail();
    const other = bench.select();
    expect(other.state).toBe("usable-if-no-better-guard");
    bench.sample.succeeded(other);
    expect(bench.primary).toEqual(ids(0, 1, 3));
  });

  it("do not change when they are confirmed in another order", () => {
    const bench = new Bench(view(400, { params: { "guard-n-primary-guards-to-use": 3 } }));
    for (let i = 0; i < 100; i++) bench.succeed();
    expect(bench.primaryGuards().map(({ isConfirmed }) => isConfirmed)).toEqual([true, true, true]);
    expect(bench.primary).toEqual(ids(0, 1, 2));
  });

  it("stay primary while they cannot be reached, before others that can", () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i++) bench.fail();
    bench.sample.update(view());
    expect(bench.primary).toEqual(ids(0, 1, 2));
  });

  it("are filled up with guards that are not known to be down", () => {
    const bench = new Bench();
    for (let i = 0; i < 4; i++) bench.fail();
    bench.sample.update(without(...relays(0)));
    expect(bench.primary).toEqual(ids(1, 2, 4));
  });

  it("are all there are on a small network, and more when there are more", () => {
    const bench = new Bench(view(2));
    expect(bench.primary).toEqual(ids(0, 1));
    bench.sample.update(view(5));
    expect(bench.primary).toEqual(ids(0, 1, 2));
  });
});

it("holds its invariants whatever happens", () => {
  const action = fc.record({
    what: fc.constantFrom("select", "succeed", "fail", "giveUp", "advance", "update", "restart", "waiting"),
    which: fc.nat(1000),
    wait: fc.oneof(fc.nat(60_000), fc.nat(40 * DAY)),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      let bench = new Bench(view(150));
      let elapsed = 0;
      const circuits = new Set<ReturnType<Bench["select"]>>();
      for (const { what, which, wait } of actions) {
        const circuit = [...circuits][which % Math.max(1, circuits.size)];
        if (what === "select") circuits.add(bench.select(which % 3 === 0 ? "directory" : "data"));
        if (what === "advance") bench.advance(wait);
        if (what === "advance") elapsed += wait;
        if (what === "update") bench.sample.update(without(...GUARDS.slice(150), ...relays(which % 150)));
        if (what === "waiting") {
          const complete = bench.sample.updateWaiting();
          for (const one of complete) expect(one.state).toBe("complete");
          for (const one of bench.sample.expireWaiting()) circuits.delete(one);
        }
        if (what === "restart") {
          const before = bench.sample.export();
          bench = new Bench(null);
          bench.advance(elapsed);
          circuits.clear();
          bench.sample.adopt(before);
          expect(bench.sample.export()).toEqual(before);
          bench.sample.update(view(150));
        }
        if (circuit !== undefined && ["succeed", "fail", "giveUp"].includes(what)) {
          if (what === "succeed" && bench.sampled.includes(circuit.relay.nickname)) {
            const before = circuit.state;
            const after = bench.sample.succeeded(circuit);
            if (before === "usable-on-completion" || before === "complete") expect(after).toBe("complete");
          } else {
            if (what === "fail") bench.sample.failed(circuit);
            else bench.sample.gaveUp(circuit);
            circuits.delete(circuit);
          }
        }
        const { guards } = bench.sample.export();
        const indices = guards.flatMap(({ confirmed_index }) => confirmed_index ?? []).sort((a, b) => a - b);
        expect(indices).toEqual(range(0, guards.filter((guard) => guard.confirmed).length));
        expect(new Set(guards.map(({ fingerprint }) => fingerprint)).size).toBe(guards.length);
        expect(guards.length).toBeLessThanOrEqual(30);
        expect(bench.primary).toHaveLength(3);
        expect(bench.sampled.filter((one) => bench.primary.includes(one))).toEqual(bench.primary);
      }
    }),
    { numRuns: 60 },
  );
});
