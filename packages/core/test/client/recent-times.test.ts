import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecentTimes } from "../../src/client/recent-times.ts";

function after(times: readonly number[]): RecentTimes {
  const recent = new RecentTimes();
  for (const ms of times) recent.add(ms);
  return recent;
}

describe("recent times", () => {
  it("have no median before the first", () => {
    expect(after([])).toMatchObject({ count: 0, median: undefined });
  });

  it("have the middle one, or what is between the two in the middle", () => {
    expect(after([7]).median).toBe(7);
    expect(after([30, 10, 20]).median).toBe(20);
    expect(after([40, 10, 30, 20]).median).toBe(25);
    expect(after([9, 100, 11]).median).toBe(11);
  });

  it("are the last hundred", () => {
    const recent = after([...new Array<number>(1000).fill(1), ...new Array<number>(100).fill(500)]);
    expect(recent).toMatchObject({ count: 1100, median: 500 });
  });

  it("have as many below the median as above it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 300 }),
        (times) => {
          const last = times.slice(-100);
          const median = after(times).median as number;
          const half = last.length / 2;
          return (
            last.filter((ms) => ms < median).length <= half && last.filter((ms) => ms > median).length <= half
          );
        },
      ),
    );
  });
});
