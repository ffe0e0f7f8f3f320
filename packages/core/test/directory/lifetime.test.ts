import { describe, expect, it } from "vitest";
import {
  isLive,
  modifiedSince,
  nextEarlyFetchTime,
  nextFetchTime,
  requireCurrent,
} from "../../src/directory/lifetime.ts";

const HOUR = 3600_000;
const at = (hour: number) => Date.UTC(2026, 0, 1) + hour * HOUR;
/** The example of dir-spec 5.1. */
const example = { validAfter: at(1), freshUntil: at(2), validUntil: at(4) };

describe("the lifetime of a consensus", () => {
  it("is tolerated for a day on either side, and no longer", () => {
    for (const time of [at(1) - 24 * HOUR, at(2), at(4) + 24 * HOUR]) requireCurrent(example, time);
    expect(() => requireCurrent(example, at(4) + 24 * HOUR + 1)).toThrow(
      expect.objectContaining({ kind: "directory-expired" }),
    );
    expect(() => requireCurrent(example, at(1) - 24 * HOUR - 1)).toThrow(
      expect.objectContaining({ kind: "clock-skew" }),
    );
  });

  it("is tolerated for less where consensuses live shorter", () => {
    const minutes = { validAfter: 0, freshUntil: 60_000, validUntil: 600_000 };
    const expired = expect.objectContaining({ kind: "directory-expired" });
    requireCurrent(minutes, 600_000 + 80 * 60_000);
    expect(() => requireCurrent(minutes, 600_000 + 80 * 60_000 + 1)).toThrow(expired);
    const days = { ...minutes, validUntil: 10 * 24 * HOUR };
    requireCurrent(days, 11 * 24 * HOUR);
    expect(() => requireCurrent(days, 11 * 24 * HOUR + 1)).toThrow(expired);
  });

  it("is live between valid-after and valid-until", () => {
    expect([at(1) - 1, at(1), at(4), at(4) + 1].map((time) => isLive(example, time))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it("leads to the next fetch between 2:45 and 3:50, as in the specification's example", () => {
    const times = Array.from({ length: 500 }, () => nextFetchTime(example));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(at(2.75));
    expect(Math.min(...times)).toBeLessThan(at(2.8));
    expect(Math.max(...times)).toBeLessThanOrEqual(at(2.75 + (1.25 * 7) / 8));
    expect(Math.max(...times)).toBeGreaterThan(at(3.75));
  });

  it("leads to a fetch between fresh and expired in whatever network", () => {
    for (const [fresh, valid] of [
      [60_000, 600_000],
      [20_000, 40_000],
      [6000, 6001],
    ] as const) {
      const lifetime = { validAfter: 0, freshUntil: fresh, validUntil: valid };
      for (let i = 0; i < 50; i++) {
        expect(nextFetchTime(lifetime)).toBeGreaterThanOrEqual(fresh);
        expect(nextFetchTime(lifetime)).toBeLessThan(valid);
      }
    }
  });

  it("leads a bridge to fetch early, and never before there is something new", () => {
    const times = Array.from({ length: 200 }, () => nextEarlyFetchTime(example));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(at(2) + 120_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(at(2.5) + 120_000);
  });

  it("is asked about with a time that tells nothing of our clock", () => {
    expect(modifiedSince(example)).toBe(at(1) + 180_000);
    expect(modifiedSince({ validAfter: 0, freshUntil: 60_000, validUntil: 600_000 })).toBe(30_000);
  });
});
