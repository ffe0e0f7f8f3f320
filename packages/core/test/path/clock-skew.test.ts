import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { ClockSkew, clockText } from "../../src/path/clock-skew.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const HOUR = 3_600_000;
const EXPIRED = new TorError("directory-expired", "ALLIUM_E_CONSENSUS_EXPIRED", "expired");

function setup() {
  const clock = new ManualClock();
  return { clock, skew: new ClockSkew(clock) };
}

describe("a wrong clock", () => {
  it("is found by what relays that proved their identity say", () => {
    const { skew } = setup();
    expect(skew.estimate).toBeUndefined();
    skew.note("a", 3 * HOUR);
    expect(skew.estimate).toEqual({ skew: 3 * HOUR, relays: 1 });
    skew.note("a", 2 * HOUR);
    expect(skew.estimate).toEqual({ skew: 2 * HOUR, relays: 1 });
  });

  it("is not believed to be wrong because one relay says so where others do not", () => {
    const { skew } = setup();
    skew.note("a", 0);
    skew.note("liar", 48 * HOUR);
    expect(skew.estimate).toBeUndefined();
    skew.note("b", -60_000);
    expect(skew.estimate).toBeUndefined();
  });

  it("is none of less than an hour", () => {
    const { skew } = setup();
    skew.note("a", HOUR - 1);
    expect(skew.estimate).toBeUndefined();
  });

  it("is forgotten after an hour, and when more relays were met than are remembered", () => {
    const { skew, clock } = setup();
    skew.note("a", 5 * HOUR);
    clock.advance(HOUR);
    expect(skew.estimate).toBeUndefined();
    skew.note("b", 5 * HOUR);
    for (let i = 0; i < 32; i++) skew.note(`right ${i}`, 0);
    expect(skew.estimate).toBeUndefined();
    for (let i = 0; i < 32; i++) skew.note(`wrong ${i}`, -5 * HOUR);
    expect(skew.estimate).toEqual({ skew: -5 * HOUR, relays: 32 });
  });

  it("explains what it may have caused, and nothing else", () => {
    const { skew } = setup();
    expect(skew.explain(EXPIRED)).toBe(EXPIRED);
    skew.note("a", -30 * HOUR);
    const explained = skew.explain(EXPIRED);
    expect(explained).toMatchObject({ kind: "clock-skew", code: "ALLIUM_E_CLOCK_WRONG", cause: EXPIRED });
    expect(explained.message).toContain("30.0 hours ahead of that of a relay");
    const unverified = new TorError("consensus-unverified", "ALLIUM_E_CONSENSUS_SIGNATURES", "none");
    expect(skew.explain(unverified).code).toBe("ALLIUM_E_CLOCK_WRONG");
    const other = new TorError("bridge-unreachable", "ALLIUM_E_BRIDGE_LOST", "lost");
    expect(skew.explain(other)).toBe(other);
  });

  it("is told in words", () => {
    expect(clockText({ skew: 90 * 60_000, relays: 2 })).toBe(
      "this device's clock is 1.5 hours behind those of 2 relays: set it right",
    );
  });
});
