// What congestion control makes of clocks as browsers have them, on simulated paths: beside a fine clock on the same path.
// A cell carries half a kilobyte: a path of 10 cells a millisecond moves 5 MB/s.

import { describe, expect, test } from "vitest";
import { type Outcome, type PageOptions, type PathOptions, simulate } from "./path-simulation.ts";

const FINE = 0.005;
const GRAINS = [1, 16.667, 100] as const;

function run(path: PathOptions, page: PageOptions, duration: number): Outcome {
  return simulate(path, [page], duration)[0] as Outcome;
}

const paths = (rates: readonly number[], delays: readonly number[]): PathOptions[] =>
  rates.flatMap((rate) => delays.map((delay) => ({ rate, delay })));

describe.each(GRAINS)("a clock of %d ms", (grain) => {
  test.each(paths([0.5, 2, 10], [2, 20, 60, 137, 300]))(
    "on a path of $rate cells/ms and $delay ms: nine tenths of the data, and two steps of queue more",
    (path) => {
      const fine = run(path, { grain: FINE }, 12_000);
      const coarse = run(path, { grain }, 12_000);
      expect(coarse.cells(2000, 12_000)).toBeGreaterThanOrEqual(0.9 * fine.cells(2000, 12_000));
      // Slow start waits for the clock to move.
      expect(coarse.cells(0, 2000)).toBeGreaterThanOrEqual(0.75 * fine.cells(0, 2000));
      // Vegas keeps 186 to 310 cells in queues: where in between is chance.
      const allowed = 2 * grain + 124 / path.rate;
      expect(coarse.mean("queue", 2000, 12_000) - fine.mean("queue", 2000, 12_000)).toBeLessThan(allowed);
      expect(coarse.most("cwnd", 0, 12_000)).toBeLessThanOrEqual(5000 + 500);
    },
  );

  test.each(paths([20, 40], [20, 60, 150, 280]))(
    "on a path of $rate cells/ms and $delay ms, faster than relays are: half of the data",
    (path) => {
      const fine = run(path, { grain: FINE }, 12_000);
      const coarse = run(path, { grain }, 12_000);
      expect(coarse.cells(2000, 12_000)).toBeGreaterThanOrEqual(0.5 * fine.cells(2000, 12_000));
    },
  );

  test.each(paths([2, 5], [40, 150]))(
    "on a path of $rate cells/ms and $delay ms with jitter: nine tenths of the data",
    (path) => {
      const fine = run({ ...path, jitter: 20 }, { grain: FINE }, 12_000);
      const coarse = run({ ...path, jitter: 20 }, { grain }, 12_000);
      expect(coarse.cells(2000, 12_000)).toBeGreaterThanOrEqual(0.9 * fine.cells(2000, 12_000));
    },
  );

  test("leaves a fine clock its share of a bottleneck", () => {
    const pages = [{ grain }, { grain: FINE }];
    const [coarse, fine] = simulate({ rate: 4, delay: 100, jitter: 3 }, pages, 40_000) as [Outcome, Outcome];
    const share = coarse.cells(5000, 40_000) / (coarse.cells(5000, 40_000) + fine.cells(5000, 40_000));
    expect(share).toBeGreaterThan(0.4);
    expect(share).toBeLessThan(0.65);
  });

  test("does as well after a time of small messages", () => {
    const busy = (time: number) => time > 10_000 || time % 1000 < 30;
    const path = { rate: 5, delay: 80, jitter: 3 };
    const fine = run(path, { grain: FINE, busy }, 16_000);
    const coarse = run(path, { grain, busy }, 16_000);
    expect(coarse.cells(10_000, 16_000)).toBeGreaterThanOrEqual(0.9 * fine.cells(10_000, 16_000));
  });
});

describe.each([FINE, ...GRAINS])("with a clock of %d ms", (grain) => {
  const AT = 5000;
  const kinds: readonly (readonly [name: string, make: (ms: number) => PageOptions])[] = [
    ["a frozen page", (ms) => ({ frozen: [{ from: AT, to: AT + ms }] })],
    [
      "a frozen page whose clock stands still",
      (ms) => ({ frozen: [{ from: AT, to: AT + ms }], stopped: [{ from: AT, to: AT + ms }] }),
    ],
    ["a clock that stands still", (ms) => ({ stopped: [{ from: AT, to: AT + ms }] })],
    ["a clock that jumps", (ms) => ({ jump: { at: AT, ms } })],
  ];

  describe.each(kinds)("%s", (name, make) => {
    test.each([300, 3000, 60_000].flatMap((ms) => paths([1, 8], [60, 150]).map((path) => ({ ms, ...path }))))(
      "for $ms ms on a path of $rate cells/ms and $delay ms: seven tenths of the data three seconds later",
      ({ ms, ...path }) => {
        const end = name.includes("jumps") ? AT : AT + ms;
        const fine = run(path, { grain: FINE }, AT + 8000);
        const page = run(path, { grain, ...make(ms) }, end + 8000);
        const usual = fine.cells(AT + 3000, AT + 8000);
        expect(page.cells(end + 3000, end + 8000)).toBeGreaterThanOrEqual(0.7 * usual);
        // Neither at its least for good, nor ever wider.
        const { cwnd } = page.samples.at(-1) ?? { cwnd: 0 };
        expect(cwnd).toBeGreaterThan(124);
        expect(page.most("cwnd", AT, end + 8000)).toBeLessThan(5100);
        expect(cwnd).toBeLessThan(3 * fine.mean("cwnd", AT, AT + 8000));
      },
    );

    test("changes nothing while nothing is under way", () => {
      const path = { rate: 5, delay: 80 };
      const busy = (time: number) => time < AT - 1000 || time > AT + 61_000;
      const calm = run(path, { grain, busy }, AT + 66_000);
      const page = run(path, { grain, busy, ...make(60_000) }, AT + 66_000);
      const before = page.between(0, AT).at(-1)?.cwnd;
      expect(page.between(0, AT + 61_000).at(-1)?.cwnd).toBe(before);
      expect(page.cells(AT + 61_000, AT + 66_000)).toBeGreaterThanOrEqual(
        0.9 * calm.cells(AT + 61_000, AT + 66_000),
      );
    });
  });

  test("a page that is frozen for a second in every ten keeps seven tenths of what is left", () => {
    const frozen = Array.from({ length: 6 }, (_, i) => ({ from: 4000 + i * 10_000, to: 5000 + i * 10_000 }));
    const path = { rate: 4, delay: 100 };
    const fine = run(path, { grain: FINE }, 60_000);
    const page = run(path, { grain, frozen }, 60_000);
    expect(page.cells(5000, 60_000)).toBeGreaterThanOrEqual(0.7 * 0.9 * fine.cells(5000, 60_000));
  });
});
