// Build times are kept in a ring and stored in bins; what is stored is checked before it is believed.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BuildTimeHistory,
  HISTORY_LENGTH,
  histogramOf,
  parseBuildTimes,
} from "../../../src/path/build-timeout/history.ts";
import { anyStored, stored } from "./support.ts";

const histogram = (times: readonly number[]) => histogramOf(Uint32Array.from(times));

function historyOf(times: readonly number[]): BuildTimeHistory {
  const history = new BuildTimeHistory();
  for (const time of times) history.add(time);
  return history;
}

describe("the histogram", () => {
  it("counts each time in the bin of 10 ms that it is in (arti's numbers)", () => {
    expect(histogram([1, 903, 0])).toEqual([
      [5, 2],
      [905, 1],
    ]);
    expect(histogram([7, 8, 9, 10, 11, 12, 13, 299])).toEqual([
      [5, 3],
      [15, 4],
      [295, 1],
    ]);
    expect(histogram([300, 500, 542, 305, 543, 307])).toEqual([
      [305, 3],
      [505, 1],
      [545, 2],
    ]);
  });
});

describe("the history", () => {
  it("forgets the oldest of more than 1000 times", () => {
    const history = historyOf([300, 500, ...new Array<number>(998).fill(42)]);
    expect(history.count).toBe(HISTORY_LENGTH);
    expect(history.longest).toBe(500);
    history.add(212);
    history.add(203);
    expect(history.count).toBe(HISTORY_LENGTH);
    expect(history.longest).toBe(212);
    expect(histogramOf(history.times)).toEqual([
      [45, 998],
      [205, 1],
      [215, 1],
    ]);
  });

  it("is empty when cleared, and begins anew", () => {
    const history = historyOf([300, 500]);
    history.clear();
    expect([history.count, history.longest, [...history.times]]).toEqual([0, 0, []]);
    history.add(70);
    expect([...history.times]).toEqual([70]);
  });

  it("has whole milliseconds, and no time that is none", () => {
    expect([...historyOf([0, 0.2, 1.4, 1.6, 1e12]).times]).toEqual([1, 1, 1, 2, 2 ** 31 - 1]);
  });

  it("takes up stored times in a random order, so that not the fastest expire first", () => {
    const times = Array.from({ length: 500 }, (_, i) => 10 * i + 5);
    const history = new BuildTimeHistory();
    history.restore(stored(times));
    const restored = [...history.times];
    expect(restored).not.toEqual(times);
    expect(restored.sort((a, b) => a - b)).toEqual(times);
    const early = historyOf([]);
    early.restore(stored(times));
    const firstHalf = early.times.slice(0, 250).filter((time) => time < 2500).length;
    expect(firstHalf).toBeGreaterThan(75);
    expect(firstHalf).toBeLessThan(175);
  });
});

describe("stored build times", () => {
  it("come back as they were", () => {
    fc.assert(
      fc.property(anyStored, (times) => {
        expect(parseBuildTimes(JSON.parse(JSON.stringify(times)))).toEqual(times);
        const history = new BuildTimeHistory();
        history.restore(times);
        expect(histogramOf(history.times)).toEqual(times.histogram);
      }),
    );
  });

  it("may name what this version does not know", () => {
    expect(parseBuildTimes({ histogram: [[5, 1]], other: true })).toEqual({ histogram: [[5, 1]] });
  });

  it.each([
    ["nothing", undefined],
    ["null", null],
    ["a list", []],
    ["a text", "histogram"],
    ["no histogram", {}],
    ["a histogram that is no list", { histogram: { length: 1, 0: [5, 1] } }],
    ["a bin that is no pair", { histogram: [[5]] }],
    ["a bin of three", { histogram: [[5, 1, 1]] }],
    ["a bin that is a number", { histogram: [5] }],
    ["a time that is no bin's middle", { histogram: [[10, 1]] }],
    ["a fraction", { histogram: [[5.5, 1]] }],
    ["a time below 0", { histogram: [[-5, 1]] }],
    ["a time that is a text", { histogram: [["5", 1]] }],
    ["a time of NaN", { histogram: [[Number.NaN, 1]] }],
    ["an endless time", { histogram: [[Number.POSITIVE_INFINITY, 1]] }],
    ["a time above 2^31-1", { histogram: [[2_147_483_655, 1]] }],
    ["an empty bin", { histogram: [[5, 0]] }],
    ["a count below 0", { histogram: [[5, -1]] }],
    ["half a circuit", { histogram: [[5, 0.5]] }],
    ["a count that would fill the memory", { histogram: [[5, 1e9]] }],
    [
      "more than 1000 circuits",
      {
        histogram: [
          [5, 500],
          [15, 501],
        ],
      },
    ],
    ["more than 1000 bins", { histogram: Array.from({ length: 1001 }, (_, i) => [10 * i + 5, 1]) }],
    [
      "a bin twice",
      {
        histogram: [
          [5, 1],
          [5, 1],
        ],
      },
    ],
    [
      "bins out of order",
      {
        histogram: [
          [15, 1],
          [5, 1],
        ],
      },
    ],
  ])("are refused where they are %s", (_what, value) => {
    const error = expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_BUILD_TIMES" });
    expect(() => parseBuildTimes(value)).toThrow(error);
  });

  it("are either refused or in order, whatever is given", () => {
    const bin = fc.array(fc.oneof(fc.integer({ min: -20, max: 2000 }), fc.anything()), { maxLength: 3 });
    const value = fc.oneof(
      fc.anything(),
      fc.record({ histogram: fc.oneof(fc.anything(), fc.array(fc.oneof(bin, fc.anything()))) }),
    );
    fc.assert(
      fc.property(value, (anything) => {
        try {
          const times = parseBuildTimes(anything);
          const history = new BuildTimeHistory();
          history.restore(times);
          expect(histogramOf(history.times)).toEqual(times.histogram);
        } catch (error) {
          expect(error).toMatchObject({ code: "ALLIUM_E_BAD_BUILD_TIMES" });
        }
      }),
    );
  });
});
