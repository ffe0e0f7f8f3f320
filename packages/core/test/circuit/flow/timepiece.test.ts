// How coarse a clock is, and whether it went with the time.

import { describe, expect, test } from "vitest";
import { Timepiece } from "../../../src/circuit/flow/timepiece.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { CoarseClock } from "./clocks.ts";

describe("grain", () => {
  test("is the smallest step that was seen, and never more than 100 ms", () => {
    const clock = new ManualClock();
    const timepiece = new Timepiece(clock);
    for (const [step, grain] of [
      [5000, 100],
      [250, 100],
      [30, 30],
      [0, 30],
      [40, 30],
      [0.5, 0.5],
    ] as const) {
      clock.advance(step);
      timepiece.read();
      expect(timepiece.grain).toBe(grain * 1000);
    }
  });

  test.each([1, 16.667, 100])("of a clock of %d ms is found", (grain) => {
    const clock = new CoarseClock(grain);
    const timepiece = new Timepiece(clock);
    for (let i = 0; i < 1000; i++) {
      clock.advance(0.7);
      timepiece.read();
    }
    expect(Math.abs(timepiece.grain - grain * 1000)).toBeLessThanOrEqual(1);
  });
});

describe("breaks", () => {
  test("two coarse clocks that do not step together are no break", () => {
    const clock = new CoarseClock(100);
    clock.setWallClock(1_700_000_000_050);
    const timepiece = new Timepiece(clock);
    for (let i = 0; i < 1000; i++) {
      clock.advance(7);
      timepiece.read();
    }
    expect(timepiece.breaks).toBe(0);
  });

  test("a clock that stands still is one, at once or by and by", () => {
    const clock = new CoarseClock(0.001);
    const timepiece = new Timepiece(clock);
    timepiece.read();
    clock.stop();
    clock.advance(60_000);
    timepiece.read();
    expect(timepiece.breaks).toBe(1);
    for (let i = 0; i < 300; i++) {
      clock.advance(1);
      timepiece.read();
    }
    expect(timepiece.breaks).toBe(2);
    clock.resume();
    for (let i = 0; i < 300; i++) {
      clock.advance(1);
      timepiece.read();
    }
    expect(timepiece.breaks).toBe(2);
  });

  test.each([3_600_000, -3_600_000, 300, -300])("a wall clock that is set by %d ms is one", (ms) => {
    const clock = new ManualClock();
    const timepiece = new Timepiece(clock);
    timepiece.read();
    clock.set(clock.now() + ms);
    timepiece.read();
    timepiece.read();
    expect(timepiece.breaks).toBe(1);
  });
});
