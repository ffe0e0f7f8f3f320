// What the estimator takes for a build time, a timeout and a changed network, and the limits it gives (path-spec 2.4).

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BuildTimeoutEstimator } from "../../../src/path/build-timeout/estimator.ts";
import { BuildTimeHistory } from "../../../src/path/build-timeout/history.ts";
import { buildTimeoutParams } from "../../../src/path/build-timeout/params.ts";
import { anyConsensus, anyStored, paramsOf, stored, timeOut } from "./support.ts";

const DEFAULTS = buildTimeoutParams(undefined);
const INITIAL = { timeout: 60_000, abandon: 60_000 };
/** arti's ten build times; 10 ms bins of two modes make Xm 401. */
const TIMES = [300, 500, 542, 305, 543, 307, 212, 203, 617, 413];
const SMALL = paramsOf({ cbtmincircs: 10, cbtnummodes: 2 });

function learned(params = SMALL, times: readonly number[] = TIMES): BuildTimeoutEstimator {
  const estimator = new BuildTimeoutEstimator(params);
  for (const time of times) estimator.built(time);
  return estimator;
}

const timeoutOf = (estimator: BuildTimeoutEstimator) => estimator.limits(3).timeout;
const count = (estimator: BuildTimeoutEstimator) =>
  estimator.export().histogram.reduce((sum, [, times]) => sum + times, 0);

describe("before enough circuits were built", () => {
  it("the limits are the initial ones, and a test circuit is wanted every ten seconds", () => {
    const estimator = new BuildTimeoutEstimator(DEFAULTS);
    for (let i = 0; i < 99; i++) estimator.built(500);
    expect(estimator.limits(3)).toEqual(INITIAL);
    expect([estimator.learning, estimator.testInterval]).toEqual([true, 10_000]);
    estimator.built(500);
    expect(timeoutOf(estimator)).toBe(500);
    expect([estimator.learning, estimator.testInterval]).toEqual([false, undefined]);
  });

  it("nothing is tested for where the consensus wants more than are ever kept", () => {
    const estimator = learned(paramsOf({ cbtmincircs: 1001 }), new Array<number>(1200).fill(500));
    expect(estimator.limits(3)).toEqual(INITIAL);
    expect([estimator.learning, estimator.testInterval]).toEqual([false, undefined]);
    expect(count(estimator)).toBe(1000);
  });
});

describe("the limits", () => {
  it("are arti's for its build times, but a circuit is measured for a minute at least (path-spec 2.4.3)", () => {
    const { timeout, abandon } = learned().limits(3);
    expect(Math.floor(1000 * timeout)).toBe(493_169);
    expect(abandon).toBe(60_000);
    const quick = learned(paramsOf({ cbtmincircs: 10, cbtnummodes: 2, cbtinitialtimeout: 650 }));
    expect(Math.floor(1000 * quick.limits(3).abandon)).toBe(724_841);
  });

  it("are never beyond the slowest circuit, or twice that for measuring", () => {
    const params = paramsOf({ cbtmincircs: 10, cbtnummodes: 1, cbtinitialtimeout: 1070 });
    const times = [15, 15, 1000, 1010, 1020, 1030, 1040, 1050, 1060, 1070];
    expect(learned(params, times).limits(3)).toEqual({ timeout: 1070, abandon: 2140 });
  });

  it("are never below the least timeout", () => {
    const times = new Array<number>(10).fill(3);
    expect(timeoutOf(learned(SMALL, times))).toBe(10);
    expect(timeoutOf(learned(paramsOf({ cbtmincircs: 10, cbtmintimeout: 2000 })))).toBe(2000);
  });

  it.each([
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 10 / 6],
    [5, 15 / 6],
    [8, 36 / 6],
  ])("of %d hops are those of three times %d", (hops, scale) => {
    for (const estimator of [new BuildTimeoutEstimator(DEFAULTS), learned()]) {
      const { timeout, abandon } = estimator.limits(3);
      expect(estimator.limits(hops)).toEqual({ timeout: timeout * scale, abandon: abandon * scale });
    }
  });

  it("fit a timer, whatever the consensus wants", () => {
    const estimator = new BuildTimeoutEstimator(paramsOf({ cbtinitialtimeout: 2 ** 31 - 1 }));
    expect(estimator.limits(8)).toEqual({ timeout: 2 ** 31 - 1, abandon: 2 ** 31 - 1 });
  });
});

describe("a build time", () => {
  it("counts when it came after the timeout too, up to the limit of measuring", () => {
    const estimator = learned();
    const before = timeoutOf(estimator);
    estimator.timedOut({ firstHopDone: true });
    estimator.built(60_000, { late: true });
    expect(count(estimator)).toBe(11);
    expect(timeoutOf(estimator)).toBeGreaterThan(before);
  });

  it.each([60_001, 1e9, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    "of %d ms is none: the machine slept, or a relay is down",
    (ms) => {
      const estimator = learned();
      const before = [estimator.export(), estimator.limits(3)];
      estimator.built(ms);
      expect([estimator.export(), estimator.limits(3)]).toEqual(before);
      // Nor is it a success: the other 19 of the last 20 circuits decide.
      timeOut(estimator, 10);
      for (let i = 0; i < 20; i++) estimator.built(ms);
      timeOut(estimator, 8);
      expect(estimator.limits(3)).toEqual(INITIAL);
    },
  );
});

describe("a changed network", () => {
  it("is found by the 18th timeout of the last 20 circuits, and all is learned anew", () => {
    const estimator = learned();
    for (let i = 0; i < 40; i++) estimator.built(400);
    timeOut(estimator, 17);
    expect(timeoutOf(estimator)).toBeLessThan(1000);
    expect(estimator.learning).toBe(false);
    timeOut(estimator, 1);
    expect(estimator.limits(3)).toEqual(INITIAL);
    expect(estimator.export()).toEqual({ histogram: [] });
    expect([estimator.learning, estimator.testInterval]).toEqual([true, 10_000]);
  });

  it("is not found where three of 20 circuits came in time", () => {
    const estimator = learned();
    for (let i = 0; i < 50; i++) {
      timeOut(estimator, 17);
      for (let j = 0; j < 3; j++) estimator.built(400);
    }
    expect(estimator.learning).toBe(false);
  });

  it("is found where they came too late", () => {
    const estimator = learned();
    for (let i = 0; i < 17; i++) {
      estimator.timedOut({ firstHopDone: true });
      estimator.built(5000, { late: true });
    }
    expect(estimator.learning).toBe(false);
    timeOut(estimator, 1);
    expect(estimator.learning).toBe(true);
  });

  it("is not found where no first hop answers: a dead network teaches nothing", () => {
    const estimator = learned();
    for (let i = 0; i < 1000; i++) estimator.timedOut({ firstHopDone: false });
    expect(timeoutOf(estimator)).toBeLessThan(1000);
    timeOut(estimator, 17);
    expect(estimator.learning).toBe(false);
  });

  it("doubles both limits where they were the initial ones already, up to two hours", () => {
    const estimator = learned();
    timeOut(estimator, 18);
    const timeouts = Array.from({ length: 9 }, () => {
      timeOut(estimator, 17);
      const before = timeoutOf(estimator);
      timeOut(estimator, 1);
      expect(estimator.limits(3).abandon).toBe(timeoutOf(estimator));
      return [before, timeoutOf(estimator)];
    });
    const steps = [60, 120, 240, 480, 960, 1920, 3840, 7200, 7200, 7200].map((s) => 1000 * s);
    expect(timeouts).toEqual(steps.slice(1).map((after, i) => [steps[i], after]));
  });

  it("doubles a learned timeout that was longer than the initial one", () => {
    const times = [500, 1000, 1500, 1500, 1500, 1500, 1500, 1500, 1500, 1500];
    const estimator = learned(paramsOf({ cbtmincircs: 10, cbtinitialtimeout: 2000 }), times);
    timeOut(estimator, 18);
    estimator.setParams(paramsOf({ cbtmincircs: 10, cbtinitialtimeout: 1000 }));
    for (let i = 0; i < 10; i++) estimator.built(1000);
    estimator.setParams(paramsOf({ cbtmincircs: 10, cbtinitialtimeout: 900 }));
    const { timeout, abandon } = estimator.limits(3);
    expect(timeout).toBe(1000);
    timeOut(estimator, 18);
    expect(estimator.limits(3)).toEqual({ timeout: 2 * timeout, abandon: 2 * abandon });
  });

  it("is learned from the doubled limits down again", () => {
    const estimator = new BuildTimeoutEstimator(SMALL);
    timeOut(estimator, 18);
    expect(timeoutOf(estimator)).toBe(120_000);
    for (let i = 0; i < 10; i++) estimator.built(90_000);
    expect(timeoutOf(estimator)).toBe(90_000);
    for (let i = 0; i < 1000; i++) estimator.built(500);
    expect(timeoutOf(estimator)).toBe(500);
    timeOut(estimator, 18);
    expect(estimator.limits(3)).toEqual(INITIAL);
  });

  it("is found by the consensus's numbers, and never where it wants more timeouts than are remembered", () => {
    const three = learned(paramsOf({ cbtmincircs: 10, cbtrecentcount: 4, cbtmaxtimeouts: 3 }));
    timeOut(three, 2);
    expect(three.learning).toBe(false);
    timeOut(three, 1);
    expect(three.learning).toBe(true);
    const never = learned(paramsOf({ cbtmincircs: 10, cbtmaxtimeouts: 21 }));
    timeOut(never, 1000);
    expect(never.learning).toBe(false);
  });
});

describe("a new consensus", () => {
  it("keeps what was learned, and moves the limits to its quantile", () => {
    const estimator = learned();
    const before = timeoutOf(estimator);
    estimator.setParams({ ...SMALL, quantile: 0.6 });
    expect(timeoutOf(estimator)).toBeLessThan(before);
    expect(count(estimator)).toBe(10);
    estimator.setParams({ ...SMALL, minCircuits: 11 });
    expect(estimator.limits(3)).toEqual(INITIAL);
    expect(estimator.learning).toBe(true);
  });

  it("keeps the newest outcomes where it wants fewer of them (arti's numbers)", () => {
    const estimator = learned(paramsOf({ cbtmincircs: 10, cbtmaxtimeouts: 10 }));
    timeOut(estimator, 9);
    for (let i = 0; i < 3; i++) estimator.built(400);
    estimator.setParams(paramsOf({ cbtmincircs: 10, cbtrecentcount: 10, cbtmaxtimeouts: 8 }));
    // Seven timeouts and three successes are left; each further timeout pushes one of the seven out.
    timeOut(estimator, 7);
    expect(estimator.learning).toBe(false);
    timeOut(estimator, 1);
    expect(estimator.learning).toBe(true);
  });

  it("has its initial timeout instead of one that was doubled from another", () => {
    const estimator = new BuildTimeoutEstimator(DEFAULTS);
    timeOut(estimator, 18);
    estimator.setParams(paramsOf({ cbtnummodes: 5 }));
    expect(timeoutOf(estimator)).toBe(120_000);
    estimator.setParams(paramsOf({ cbtinitialtimeout: 30_000 }));
    expect(timeoutOf(estimator)).toBe(30_000);
  });

  it("that disables learning has everything forgotten and nothing learned", () => {
    const estimator = learned();
    estimator.setParams({ ...SMALL, disabled: true });
    const check = (one: BuildTimeoutEstimator) => {
      for (const time of TIMES) one.built(time);
      timeOut(one, 100);
      expect(one.limits(3)).toEqual(INITIAL);
      expect([one.learning, one.testInterval]).toEqual([false, undefined]);
      expect(one.export()).toEqual({ histogram: [] });
    };
    check(estimator);
    check(new BuildTimeoutEstimator({ ...SMALL, disabled: true }, stored(TIMES)));
    estimator.setParams(SMALL);
    expect([estimator.learning, estimator.testInterval]).toEqual([true, 10_000]);
  });
});

describe("a restart", () => {
  it("goes on with the stored build times, a bin's width off at the most, but with no timeouts", () => {
    const before = learned();
    timeOut(before, 17);
    const after = new BuildTimeoutEstimator(SMALL, before.export());
    expect(Math.abs(timeoutOf(after) - timeoutOf(before))).toBeLessThan(10);
    expect(after.learning).toBe(false);
    expect(after.export()).toEqual(before.export());
    timeOut(after, 17);
    expect(after.learning).toBe(false);
  });
});

describe("whatever is stored, and whatever the consensus says", () => {
  const sane = (estimator: BuildTimeoutEstimator, minTimeout: number) => {
    for (const hops of [1, 3, 4, 8]) {
      const { timeout, abandon } = estimator.limits(hops);
      expect(timeout).toBeGreaterThanOrEqual(minTimeout);
      expect(abandon).toBeGreaterThanOrEqual(timeout);
      expect(abandon).toBeLessThanOrEqual(2 ** 31 - 1);
    }
  };

  it("the timeout is not below the least, nor above the limit of measuring, and both fit a timer", () => {
    const event = fc.oneof(
      fc.double().map((ms) => (one: BuildTimeoutEstimator) => one.built(ms)),
      fc.integer({ min: 1, max: 100_000 }).map((ms) => (one: BuildTimeoutEstimator) => one.built(ms)),
      fc.integer({ min: 1, max: 30 }).map((n) => (one: BuildTimeoutEstimator) => timeOut(one, n)),
    );
    fc.assert(
      fc.property(anyConsensus, anyConsensus, anyStored, fc.array(event), (first, second, times, events) => {
        const estimator = new BuildTimeoutEstimator(paramsOf(first), times);
        sane(estimator, paramsOf(first).minTimeout);
        for (const happen of events) happen(estimator);
        sane(estimator, paramsOf(first).minTimeout);
        estimator.setParams(paramsOf(second));
        sane(estimator, paramsOf(second).minTimeout);
        for (const happen of events) happen(estimator);
        sane(estimator, paramsOf(second).minTimeout);
      }),
    );
  });

  it("a higher quantile is not a shorter timeout", () => {
    const percent = fc.integer({ min: 10, max: 99 });
    fc.assert(
      fc.property(
        anyStored,
        percent,
        percent,
        fc.integer({ min: 1, max: 20 }),
        (times, a, b, cbtnummodes) => {
          const at = (cbtquantile: number) => paramsOf({ cbtmincircs: 1, cbtnummodes, cbtquantile });
          const estimator = new BuildTimeoutEstimator(at(Math.min(a, b)), times);
          const low = estimator.limits(3);
          estimator.setParams(at(Math.max(a, b)));
          const high = estimator.limits(3);
          expect(high.timeout).toBeGreaterThanOrEqual(low.timeout);
          expect(high.abandon).toBeGreaterThanOrEqual(low.abandon);
        },
      ),
    );
  });

  it("learned waits end at two hours", () => {
    const slow = new BuildTimeHistory();
    for (let i = 0; i < 100; i++) slow.add(2 ** 31 - 1 - 1e6 * i);
    const estimator = new BuildTimeoutEstimator(DEFAULTS, stored([...slow.times]));
    expect(estimator.limits(3)).toEqual({ timeout: 7_200_000, abandon: 7_200_000 });
  });
});
