// Retry schedule, priority and flags of a single guard. The cases are those of C tor's test_entrynodes.c
// (retry_unreachable, guard_preferred), told through our own API.

import { describe, expect, it } from "vitest";
import type { RelayFlag } from "../../../src/directory/api.ts";
import { Guard, isListedGuard, isPreferred } from "../../../src/path/guards/guard.ts";
import { guardRetryDelay } from "../../../src/path/guards/retry.ts";
import { guardRelay, relay } from "../synthetic.ts";
import { Bench, confirmed, DAY, HOUR, MINUTE, record } from "./support.ts";

describe("the retry schedule", () => {
  it.each([
    [0, 10 * MINUTE, HOUR],
    [6 * HOUR, 10 * MINUTE, HOUR],
    [6 * HOUR + 1, 90 * MINUTE, 4 * HOUR],
    [4 * DAY, 90 * MINUTE, 4 * HOUR],
    [4 * DAY + 1, 4 * HOUR, 18 * HOUR],
    [7 * DAY, 4 * HOUR, 18 * HOUR],
    [7 * DAY + 1, 9 * HOUR, 36 * HOUR],
    [1000 * DAY, 9 * HOUR, 36 * HOUR],
  ])(
    "after failing for %i ms waits %i ms for a primary guard and %i ms for another",
    (failing, primary, other) => {
      expect(guardRetryDelay(failing, true)).toBe(primary);
      expect(guardRetryDelay(failing, false)).toBe(other);
    },
  );

  it("is followed from the last try on, by primary guards sooner than by others", () => {
    const bench = new Bench();
    const reachable = () => bench.primaryGuards().map((guard) => guard.reachable);
    expect([bench.fail(), bench.fail(), bench.fail(), bench.fail()]).toEqual([
      "Relay0",
      "Relay1",
      "Relay2",
      "Relay3",
    ]);
    bench.advance(10 * MINUTE - 1);
    expect(reachable()).toEqual(["no", "no", "no"]);
    expect(bench.fail()).toBe("Relay4");
    bench.advance(1);
    expect(reachable()).toEqual(["maybe", "maybe", "maybe"]);
    expect(bench.heard("retry")).toEqual(["Relay0", "Relay1", "Relay2"]);
    for (let i = 0; i < 3; i++) bench.fail();
    bench.advance(5 * MINUTE);
    expect(reachable()).toEqual(["no", "no", "no"]);
    for (let round = 0; round < 9; round++) {
      bench.advance(5 * MINUTE);
      for (let i = 0; i < 3; i++) bench.fail();
    }
    // An hour after the other one's try it is the next to be tried.
    expect(bench.fail()).toBe("Relay3");
  });

  it("gets slower when a guard has been failing for more than six hours", () => {
    const bench = new Bench();
    bench.fail();
    for (let i = 0; i < 40; i++) {
      bench.advance(10 * MINUTE);
      if (bench.primaryGuards()[0]?.reachable === "maybe") bench.fail();
    }
    const retries = bench.heard("retry").length;
    expect(retries).toBe(36);
    bench.advance(50 * MINUTE);
    expect(bench.primaryGuards()[0]?.reachable).toBe("maybe");
  });

  it("begins anew after a success", () => {
    const bench = new Bench();
    bench.fail();
    bench.advance(7 * HOUR);
    bench.succeed();
    bench.fail();
    bench.advance(10 * MINUTE);
    expect(bench.primaryGuards()[0]?.reachable).toBe("maybe");
  });
});

describe("of two guards", () => {
  const guard = (more: Partial<Guard> = {}) => Object.assign(new Guard(record(1)), more);
  const first = new Guard(confirmed(2, 2));
  const later = new Guard(confirmed(3, 5));
  const same = guard({ isPending: true, lastTried: 20 });

  it.each<[string, Guard, Guard, boolean]>([
    ["none that is the same", same, same, false],
    ["none when neither is under way", guard(), guard(), false],
    ["the one under way", guard({ isPending: true }), guard(), true],
    ["the one that was tried earlier", guard({ isPending: true, lastTried: 10 }), same, true],
    ["the confirmed one", later, guard({ isPending: true, lastTried: 1 }), true],
    ["the one confirmed first", first, later, true],
  ])("is preferred: %s", (_, a, b, expected) => {
    expect(isPreferred(a, b)).toBe(expected);
    expect(isPreferred(b, a)).toBe(false);
  });
});

describe("a guard of the consensus", () => {
  const all: readonly RelayFlag[] = ["Guard", "Fast", "Stable", "V2Dir", "Valid"];
  it("has the flags Guard, Fast, Stable, V2Dir and Valid", () => {
    expect(isListedGuard(guardRelay(1))).toBe(true);
    for (const missing of all) {
      expect(isListedGuard(relay({ id: 1, flags: all.filter((flag) => flag !== missing) }))).toBe(false);
    }
  });

  it("is neither MiddleOnly nor one without an Ed25519 identity that is agreed on", () => {
    for (const flag of ["MiddleOnly", "NoEdConsensus"] as const) {
      expect(isListedGuard(relay({ id: 1, flags: [...all, flag] }))).toBe(false);
    }
  });
});
