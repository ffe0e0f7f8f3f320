// The sample: its bounds, and what a consensus changes (guard-spec 4.1, 4.2, 4.10). Most cases are those of C tor's
// test_entrynodes.c: add_single_guard, expand_sample_*, update_from_consensus_*.

import { describe, expect, it } from "vitest";
import { timeText } from "../../../src/path/guards/state.ts";
import { PathSelector } from "../../../src/path/select.ts";
import { guardRelay, relay } from "../synthetic.ts";
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

describe("the sample", () => {
  it("has 20 usable guards, each once, and no more while they are", () => {
    const bench = new Bench();
    expect(bench.sampled).toEqual(ids(...range(0, 20)));
    bench.sample.update(view());
    expect(bench.sampled).toHaveLength(20);
    expect(bench.heard("sampled")).toHaveLength(20);
  });

  it("grows when guards fail, by as many, and only when another guard is looked for", () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i++) bench.fail();
    expect(bench.sampled).toHaveLength(20);
    bench.select();
    expect(bench.sampled).toHaveLength(23);
  });

  it.each([
    [400, 60],
    [250, 50],
    [120, 24],
    [90, 20],
    [7, 7],
  ])("never exceeds 20 %% of %i guards, 60, or 20 where that is less: %i", (guards, most) => {
    const bench = new Bench(view(guards));
    const tried = new Set<string>();
    for (let i = 0; i < 300; i++) {
      tried.add(bench.fail());
      bench.advance(1000);
    }
    expect(bench.sampled).toHaveLength(most);
    expect(tried.size).toBe(most);
  });

  it("follows the network's bounds", () => {
    const params = {
      "guard-max-sample-threshold-percent": 10,
      "guard-max-sample-size": 30,
      "guard-min-filtered-sample-size": 5,
    };
    const bench = new Bench(view(400, { params }));
    expect(bench.sampled).toHaveLength(5);
    for (let i = 0; i < 200; i++) bench.fail();
    expect(bench.sampled).toHaveLength(30);
    expect(
      new Bench(view(400, { params: { ...params, "guard-max-sample-threshold-percent": 1 } })).sampled,
    ).toHaveLength(5);
  });

  it("counts guards whose microdescriptors are missing among the network's", () => {
    const undescribed = GUARDS.slice(100, 400);
    const bench = new Bench(view(100, { undescribed }));
    for (let i = 0; i < 300; i++) bench.fail();
    expect(bench.sampled).toHaveLength(60);
  });

  it("is drawn by weight among guards only", () => {
    const netdir = view([
      ...range(500, 540).map((id) => relay({ id, bandwidth: 10 ** 7 })),
      guardRelay(1, { bandwidth: 1 }),
      guardRelay(2, { bandwidth: 0 }),
    ]);
    const bench = new Bench(netdir, {
      sample: (one, allowed) => new PathSelector(one, true).sampleGuard(allowed),
    });
    expect([...bench.sampled].sort()).toEqual(ids(1, 2));
  });

  it("dates a guard up to a tenth of its lifetime back, at random", () => {
    const ages = new Bench().sample.export().guards.map((guard) => age(guard.added_on));
    for (const one of ages) {
      expect(one).toBeGreaterThanOrEqual(0);
      expect(one).toBeLessThanOrEqual(12 * DAY);
    }
    expect(new Set(ages).size).toBeGreaterThan(10);
    expect(Math.max(...ages) - Math.min(...ages)).toBeGreaterThan(DAY);
  });

  it("does not change by an expired consensus, nor by one from the future", () => {
    for (const validUntil of [START - 30 * DAY, START - 25 * HOUR]) {
      const bench = new Bench(view(400, { validUntil }));
      expect(bench.sampled).toEqual([]);
      expect(() => bench.select()).toThrow(expect.objectContaining({ code: "ALLIUM_E_NO_GUARD" }));
    }
    const tomorrow = { ...view(), validAfter: START + 25 * HOUR, validUntil: START + 28 * HOUR };
    expect(new Bench(tomorrow).sampled).toEqual([]);
  });
});

describe("a consensus", () => {
  it("without a guard takes it out of use, not out of the sample, and dates that at random", () => {
    const bench = new Bench();
    bench.sample.update(without(...relays(0, 2)));
    expect(bench.sampled).toEqual(ids(...range(0, 22)));
    expect(bench.primary).toEqual(ids(1, 3, 4));
    for (const id of [0, 2]) {
      expect(age(bench.stored(id)?.unlisted_since)).toBeGreaterThanOrEqual(0);
      expect(age(bench.stored(id)?.unlisted_since)).toBeLessThanOrEqual(4 * DAY);
    }
    expect(bench.stored(1)?.unlisted_since).toBeUndefined();
    bench.sample.takeDirty();
    bench.sample.update(view());
    expect(bench.sample.takeDirty()).toBe(true);
    expect(bench.stored(0)?.unlisted_since).toBeUndefined();
  });

  it("that took a needed flag from a guard does the same", () => {
    const demoted = relay({ id: 0, flags: ["Fast", "Stable", "V2Dir", "Valid"] });
    const bench = new Bench();
    bench.sample.update(view([demoted, ...GUARDS.slice(1)]));
    expect(bench.primary).toEqual(ids(1, 2, 3));
    expect(age(bench.stored(0)?.unlisted_since)).toBeGreaterThanOrEqual(0);
  });

  it("keeps the date of the first one that did not list the guard", () => {
    const bench = new Bench();
    bench.sample.update(without(...relays(0)));
    const since = bench.stored(0)?.unlisted_since;
    bench.advance(2 * DAY);
    bench.sample.update(without(...relays(0)));
    expect(bench.stored(0)?.unlisted_since).toBe(since);
  });

  it("that is expired neither unlists nor removes", () => {
    const bench = new Bench();
    const before = bench.sample.export();
    bench.advance(500 * DAY);
    bench.sample.update({ ...without(...relays(1)), validUntil: START });
    expect(bench.sample.export()).toEqual(before);
    expect(bench.primary).toEqual(ids(0, 2, 3));
  });

  it("without any of our guards leads to others", () => {
    const bench = new Bench();
    bench.sample.update(view(GUARDS.slice(200)));
    expect(bench.sampled).toEqual(ids(...range(0, 20), ...range(200, 220)));
    expect(bench.primary).toEqual(ids(200, 201, 202));
    expect(bench.select().relay).toBe(GUARDS[200]);
  });

  it("that lists none again and again does not lead to ever more of them", () => {
    const bench = new Bench(view(100));
    for (const from of [100, 200, 300]) bench.sample.update(view(GUARDS.slice(from, from + 100)));
    expect(bench.sampled).toEqual(ids(...range(0, 20)));
    expect(() => bench.select()).toThrow(expect.objectContaining({ code: "ALLIUM_E_NO_GUARD" }));
    bench.advance(21 * DAY);
    bench.sample.update(view(GUARDS.slice(100, 200)));
    expect(bench.select().relay).toBe(GUARDS[100]);
  });

  it("that lists guards whose microdescriptors are missing leaves them in their place", () => {
    const bench = new Bench();
    bench.sample.update(view(GUARDS.slice(1), { undescribed: relays(0) }));
    expect(bench.primaryGuards()[0]).toMatchObject({ record: { nickname: "Relay0" }, relay: undefined });
    expect(bench.stored(0)?.unlisted_since).toBeUndefined();
  });

  it("renews nickname and address", () => {
    const bench = new Bench();
    const moved = { ...guardRelay(0, { addresses: ["[2001:db8::7]:443"] }), nickname: "moved" };
    bench.sample.update(view([moved, ...GUARDS.slice(1)]));
    expect(bench.sample.export().guards[0]).toMatchObject({
      nickname: "moved",
      address: "[2001:db8::7]:443",
    });
  });
});

describe("a guard leaves the sample", () => {
  const ago = (days: number) => timeText(START - days * DAY);
  const OLD = [
    record(0, { unlisted_since: ago(1) }),
    record(1, { unlisted_since: ago(365) }),
    record(2, { added_on: ago(119) }),
    record(3, { added_on: ago(121) }),
    confirmed(4, 0, { added_on: ago(365), confirmed_on: ago(59) }),
    confirmed(5, 1, { added_on: ago(365), confirmed_on: ago(61) }),
    confirmed(6, 2, { added_on: ago(119), confirmed_on: ago(118) }),
    record(7, { unlisted_since: ago(19) }),
    record(8, { unlisted_since: ago(21) }),
    record(9, { added_on: ago(121), disabled: true }),
  ];

  it("after its lifetime, or when it has not been listed for 20 days, and not before", () => {
    const bench = new Bench(null);
    bench.sample.adopt(state(...OLD));
    bench.sample.update(without(...relays(0, 1, 7, 8)));
    expect(bench.heard("removed")).toEqual(ids(1, 3, 5, 8, 9));
    expect(bench.sampled.slice(0, 5)).toEqual(ids(0, 2, 4, 6, 7));
    expect(bench.primary).toEqual(ids(2, 4, 6));
  });

  it("and those behind it close the gap in the order of confirmation", () => {
    const bench = new Bench();
    bench.sample.adopt(state(...OLD));
    expect([4, 6].map((id) => bench.stored(id)?.confirmed_index)).toEqual([0, 1]);
  });

  it("by the network's parameters", () => {
    const params = { "guard-lifetime-days": 1, "guard-confirmed-min-lifetime-days": 2 };
    const bench = new Bench(view(400, { params }));
    bench.succeed();
    bench.advance(36 * HOUR);
    bench.sample.update(view(400, { params }));
    expect(bench.sampled[0]).toBe("Relay0");
    expect(bench.sampled[1]).toBe("Relay1");
    expect(bench.heard("removed")).toEqual(ids(...range(1, 20)));
  });

  it("even if its dates are ahead of the clock", () => {
    const bench = new Bench();
    bench.sample.takeDirty();
    const others = range(1, 20).map((id) => record(id));
    bench.sample.adopt(state(record(0, { added_on: timeText(START + 4000 * DAY) }), ...others));
    expect(age(bench.stored(0)?.added_on)).toBe(0);
    expect(bench.sample.takeDirty()).toBe(true);
    bench.advance(121 * DAY);
    bench.sample.update(view());
    expect(bench.heard("removed")).toEqual(ids(0, ...range(1, 20)));
  });
});
