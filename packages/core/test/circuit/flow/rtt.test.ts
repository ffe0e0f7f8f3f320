// The RTT estimator: C tor's vectors, and the clocks that C tor does not have.

import { describe, expect, test } from "vitest";
import { ClockHeuristics, RttEstimator, type WindowState } from "../../../src/circuit/flow/rtt.ts";
import { Timepiece } from "../../../src/circuit/flow/timepiece.ts";
import { CoarseClock } from "./clocks.ts";
import { CLOCK_VECTORS, RTT_VECTORS } from "./vegas-vectors.ts";

const SLOW_START: WindowState = { inSlowStart: true, starved: false, smoothing: 2, sendmesPerCwnd: 4 };
const STEADY: WindowState = { inSlowStart: false, starved: false, smoothing: 2, sendmesPerCwnd: 40 };
const FINE = 0.001;

function estimator(grain: number) {
  const clock = new CoarseClock(grain);
  return { clock, rtt: new RttEstimator(new Timepiece(clock), 100) };
}

/** One cell after the other: each is answered `delay` milliseconds after it was sent, one is sent each `spacing`. */
function flow(
  { clock, rtt }: ReturnType<typeof estimator>,
  delay: number,
  options: { spacing: number; count: number; window?: WindowState },
): boolean[] {
  const { spacing, count, window = STEADY } = options;
  const events: { at: number; answer: boolean }[] = [];
  for (let i = 0; i < count; i++) {
    events.push({ at: i * spacing, answer: false }, { at: i * spacing + delay, answer: true });
  }
  events.sort((a, b) => a.at - b.at);
  let time = 0;
  const results: boolean[] = [];
  for (const { at, answer } of events) {
    clock.advance(at - time);
    time = at;
    if (answer) results.push(rtt.acknowledged(window));
    else rtt.sent();
  }
  return results;
}

describe("C tor's vectors", () => {
  test("smoothed and least RTT", () => {
    const { clock, rtt } = estimator(FINE);
    const sends = RTT_VECTORS.map(([sent]) => sent);
    let time = 0;
    for (const [, received, cwnd, slowStart, ewma, min] of RTT_VECTORS) {
      for (; sends[0] !== undefined && sends[0] <= received; sends.shift()) {
        clock.advance((sends[0] - time) / 1000);
        time = sends[0];
        rtt.sent();
      }
      clock.advance((received - time) / 1000);
      time = received;
      const inSlowStart = slowStart === 1;
      const starved = !inSlowStart && cwnd === 124;
      expect(rtt.acknowledged({ inSlowStart, starved, smoothing: 2, sendmesPerCwnd: 4 })).toBe(true);
      expect([rtt.ewma, rtt.min]).toEqual([ewma, min]);
    }
  });

  test("stalls and jumps of the clock", () => {
    const heuristics = new ClockHeuristics();
    for (const [ewma, rtt, slowStart, result] of CLOCK_VECTORS) {
      expect(heuristics.stalledOrJumped(slowStart === 1, ewma, rtt)).toBe(result === 1);
    }
  });
});

describe("a fine clock", () => {
  test("counts every SENDME by itself", () => {
    const rig = estimator(FINE);
    expect(flow(rig, 50, { spacing: 7, count: 20 })).toEqual(new Array(20).fill(true));
    expect([rig.rtt.ewma, rig.rtt.min]).toEqual([50_000, 50_000]);
  });

  test("that stands still for the first time has measured nothing meanwhile", () => {
    const rig = estimator(FINE);
    flow(rig, 50, { spacing: 7, count: 20 });
    rig.clock.stop();
    // The first answers seem quicker and quicker, then to take no time.
    const results = flow(rig, 50, { spacing: 7, count: 40 });
    expect(results.slice(0, 1)).toEqual([false]);
    expect(new Set(results)).toEqual(new Set([false]));
    expect([rig.rtt.ewma, rig.rtt.min]).toEqual([50_000, 50_000]);
    rig.clock.resume();
    rig.clock.advance(3);
    flow(rig, 50, { spacing: 7, count: 40 });
    expect([rig.rtt.ewma, rig.rtt.min]).toEqual([50_000, 50_000]);
  });
});

describe("a coarse clock", () => {
  test.each([
    [16, 20],
    [16, 300],
    [100, 51],
    [100, 70],
    [100, 250],
  ])("of %d ms tells an RTT of %d ms", (grain, delay) => {
    const rig = estimator(grain);
    flow(rig, delay, { spacing: 3, count: 2000 });
    expect(Math.abs(rig.rtt.ewma / 1000 - delay)).toBeLessThan(grain / 3);
    expect(Math.abs(rig.rtt.min / 1000 - delay)).toBeLessThan(grain / 3);
    expect(rig.rtt.ewma).toBeGreaterThanOrEqual(rig.rtt.min);
  });

  test.each([1, 5, 20, 49])("of 100 ms takes %d ms for no less than half a step", (delay) => {
    const rig = estimator(100);
    flow(rig, delay, { spacing: 3, count: 2000 });
    expect(rig.rtt.min).toBeGreaterThanOrEqual(50_000);
    expect(rig.rtt.ewma).toBeLessThanOrEqual(80_000);
  });

  test("tells queues of a step and more", () => {
    const rig = estimator(100);
    flow(rig, 20, { spacing: 3, count: 1000 });
    const idle = rig.rtt.ewma;
    flow(rig, 220, { spacing: 3, count: 1000 });
    expect(rig.rtt.ewma - idle).toBeGreaterThan(100_000);
    expect(rig.rtt.min).toBe(idle);
  });

  test("lets a window answer to no more than itself while it shows the same", () => {
    const rig = estimator(100);
    flow(rig, 20, { spacing: 3, count: 1000 });
    rig.clock.stop();
    const answers = flow(rig, 20, { spacing: 3, count: 1000 });
    expect(answers.filter(Boolean).length).toBeLessThanOrEqual(STEADY.sendmesPerCwnd);
  });

  test("makes nothing of the first differences, which come before it is known", () => {
    const rig = estimator(100);
    rig.clock.advance(90);
    flow(rig, 20, { spacing: 3, count: 4, window: SLOW_START });
    expect([rig.rtt.ewma, rig.rtt.min]).toEqual([0, 0]);
  });
});

describe("frozen pages", () => {
  const frozenFor = (ms: number, clockRuns: boolean) => {
    const rig = estimator(FINE);
    flow(rig, 50, { spacing: 7, count: 20 });
    for (let i = 0; i < 5; i++) rig.rtt.sent();
    if (!clockRuns) rig.clock.stop();
    rig.clock.advance(ms);
    if (!clockRuns) rig.clock.resume();
    const results = Array.from({ length: 5 }, () => {
      rig.clock.advance(0.1);
      return rig.rtt.acknowledged(STEADY);
    });
    return { ...rig, results };
  };

  test.each([
    [true, 3000],
    [true, 600_000],
    [false, 300],
    [false, 600_000],
  ])("whose clock runs (%s) for %d ms do not count that as RTT", (clockRuns, ms) => {
    const { rtt, results, ...rig } = frozenFor(ms, clockRuns);
    expect(results).toEqual(new Array(5).fill(false));
    expect([rtt.ewma, rtt.min]).toEqual([50_000, 50_000]);
    flow({ rtt, ...rig }, 60, { spacing: 7, count: 20 });
    expect(rtt.min).toBe(50_000);
    expect(rtt.ewma).toBeGreaterThan(59_000);
  });

  test("a path that became that slow is believed the second time", () => {
    const rig = frozenFor(5000, true);
    rig.rtt.sent();
    rig.clock.advance(5000);
    expect(rig.rtt.acknowledged(STEADY)).toBe(true);
  });

  test("a first RTT of many seconds is believed", () => {
    const { clock, rtt } = estimator(FINE);
    rtt.sent();
    clock.advance(20_000);
    expect(rtt.acknowledged(SLOW_START)).toBe(true);
    expect(rtt.ewma).toBe(20_000_000);
  });

  test("a wall clock that is set costs what is under way, not what is known", () => {
    const rig = estimator(FINE);
    flow(rig, 50, { spacing: 7, count: 20 });
    rig.rtt.sent();
    rig.clock.setWallClock(0);
    rig.clock.advance(40);
    expect(rig.rtt.acknowledged(STEADY)).toBe(false);
    rig.rtt.sent();
    rig.clock.advance(40);
    expect(rig.rtt.acknowledged(STEADY)).toBe(true);
    expect(rig.rtt.ewma).toBeLessThan(50_000);
  });
});
