import { describe, expect, it } from "vitest";
import { type BridgeSuspicion, BridgeWatch } from "../../src/path/bridge-watch.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const one = new Set(["one"]);
const two = new Set(["two"]);
const none = new Set<string>();
const HOUR = 3_600_000;

function setup() {
  const clock = new ManualClock();
  const suspicions: BridgeSuspicion[] = [];
  const watch = new BridgeWatch({ clock, onSuspicion: (suspicion) => suspicions.push(suspicion) });
  return { clock, suspicions, watch };
}

describe("a guard that fails", () => {
  it("through one bridge is not to blame, however often", () => {
    const { watch } = setup();
    for (let i = 0; i < 10; i++) watch.failed("a", one);
    expect(watch.isToBlame("a")).toBe(false);
  });

  it("is to blame once a second bridge agrees, and is tried through that one next", () => {
    const { watch } = setup();
    watch.failed("a", one);
    expect([...watch.avoid("a")]).toEqual(["one"]);
    watch.failed("a", two);
    expect(watch.isToBlame("a")).toBe(true);
    watch.failed("b", new Set(["one", "two"]));
    expect(watch.isToBlame("b")).toBe(true);
  });

  it("is to blame at once where there is no bridge between", () => {
    const { watch } = setup();
    watch.failed("a", none);
    expect(watch.isToBlame("a")).toBe(true);
    expect(watch.isHeldBack("a")).toBe(false);
  });

  it("is not held back before each bridge had its try", () => {
    const clock = new ManualClock();
    const watch = new BridgeWatch({ clock, bridges: 2, onSuspicion: () => {} });
    watch.failed("a", one);
    expect(watch.isHeldBack("a")).toBe(false);
    watch.failed("a", one);
    expect(watch.isHeldBack("a")).toBe(false);
    watch.failed("a", two);
    expect(watch.isHeldBack("a")).toBe(true);
  });

  it("has a clean slate once it was reached", () => {
    const { watch } = setup();
    watch.failed("a", one);
    watch.reached("a", two);
    expect(watch.avoid("a").size).toBe(0);
    watch.failed("a", two);
    expect(watch.isToBlame("a")).toBe(false);
  });

  it("by falling silent once it was reached is no more to blame", () => {
    const { watch, suspicions } = setup();
    for (const guard of ["a", "b", "c", "d", "e"]) {
      watch.reached(guard, one);
      watch.cutOff(guard);
      expect(watch.isToBlame(guard)).toBe(false);
    }
    expect(suspicions.length).toBe(1);
    watch.reached("direct", none);
    watch.cutOff("direct");
    expect(watch.isToBlame("direct")).toBe(true);
  });

  it("is held back for half a minute, then longer and longer, ten minutes at the most", () => {
    const { watch, clock } = setup();
    for (const wait of [30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]) {
      watch.failed("a", one);
      clock.advance(wait - 1);
      expect(watch.isHeldBack("a")).toBe(true);
      clock.advance(1);
      expect(watch.isHeldBack("a")).toBe(false);
    }
    expect(watch.isHeldBack("b")).toBe(false);
  });
});

describe("on another network", () => {
  it("a guard that failed on the last has a clean slate: one failure on each is not two bridges' word", () => {
    const { watch } = setup();
    watch.failed("a", one);
    watch.networkChanged();
    expect(watch.isHeldBack("a")).toBe(false);
    expect(watch.avoid("a").size).toBe(0);
    watch.failed("a", two);
    expect(watch.isToBlame("a")).toBe(false);
  });

  it("a bridge is as suspect as it was: a device that moves about must not clear it", () => {
    const { watch, suspicions } = setup();
    for (const guard of ["a", "b", "c", "d", "e"]) {
      watch.failed(guard, one);
      watch.networkChanged();
    }
    expect(suspicions).toEqual([{ bridge: "one", tried: 5, failed: 5 }]);
    expect([...watch.avoid("a")]).toEqual(["one"]);
  });
});

describe("a guard that failed often", () => {
  it.each<[string, (watch: BridgeWatch) => void]>([
    ["it was reached", (watch) => watch.reached("a", one)],
    ["the network changed", (watch) => watch.networkChanged()],
  ])("is held back for half a minute again once %s and it fails anew", (_, then) => {
    const { watch, clock } = setup();
    for (let i = 0; i < 5; i++) watch.failed("a", one);
    then(watch);
    watch.failed("a", one);
    clock.advance(30_000);
    expect(watch.isHeldBack("a")).toBe(false);
  });
});

describe("a guard that is in use", () => {
  const others = (watch: BridgeWatch, count: number) => {
    for (let i = 0; i < count; i++) watch.failed(`other ${i}`, one);
  };

  it("is one of the eight on each further day, and may be tried whatever else was", () => {
    const { watch, clock } = setup();
    watch.reached("used", one);
    clock.advance(23 * HOUR);
    watch.begun("used");
    others(watch, 7);
    clock.advance(HOUR);
    expect(watch.mayTry("ninth")).toBe(false);
    expect(watch.mayTry("used")).toBe(true);
  });

  it("no longer is not: neither one that has failed since, nor one that was never reached", () => {
    for (const use of ["reached", "failed"] as const) {
      const { watch, clock } = setup();
      watch[use]("once", one);
      if (use === "reached") watch.failed("once", one);
      clock.advance(23 * HOUR);
      watch.begun("once");
      others(watch, 7);
      clock.advance(HOUR);
      expect(watch.mayTry("ninth")).toBe(true);
      watch.failed("ninth", one);
      expect(watch.mayTry("once")).toBe(false);
    }
  });

  it("so long that its bridge's day is over still has guards counted that are under way", () => {
    const { watch, clock } = setup();
    watch.reached("used", one);
    clock.advance(24 * HOUR);
    const begun: string[] = [];
    for (let i = 0; i < 20; i++) {
      if (!watch.mayTry(`other ${i}`)) continue;
      watch.begun(`other ${i}`);
      begun.push(`other ${i}`);
    }
    expect(begun).toHaveLength(8);
  });

  it("has its bridge remembered among the 256 that were reached last", () => {
    const { watch } = setup();
    for (let i = 0; i < 256; i++) watch.reached(`guard ${i}`, one);
    watch.reached("guard 0", one);
    expect(watch.isBehindBridge("guard 1")).toBe(true);
    watch.reached("another", one);
    expect(watch.isBehindBridge("guard 1")).toBe(false);
    for (const guard of ["guard 0", "guard 2", "another"]) expect(watch.isBehindBridge(guard)).toBe(true);
  });
});

describe("a bridge that lets no guard but its own be reached", () => {
  it("sees eight guards tried in a day, and the same ones again", () => {
    const { watch, clock } = setup();
    const guards = Array.from({ length: 20 }, (_, i) => `guard ${i}`);
    const tried: string[] = [];
    for (const guard of guards) {
      if (!watch.mayTry(guard)) continue;
      tried.push(guard);
      watch.failed(guard, one);
    }
    expect(tried).toEqual(guards.slice(0, 8));
    expect(watch.mayTry("guard 3")).toBe(true);
    expect(watch.mayTry("its own")).toBe(false);
    clock.advance(24 * HOUR - 1);
    expect(watch.mayTry("its own")).toBe(false);
    clock.advance(1);
    expect(watch.mayTry("its own")).toBe(true);
  });

  it("is reported once more than a fifth of five guards failed, and is left where there is another", () => {
    const { watch, suspicions } = setup();
    for (const guard of ["a", "b", "c"]) watch.reached(guard, one);
    watch.failed("d", one);
    watch.failed("d", one);
    expect(suspicions).toEqual([]);
    watch.failed("e", one);
    expect(suspicions).toEqual([{ bridge: "one", tried: 5, failed: 2 }]);
    watch.failed("f", one);
    expect(suspicions.length).toBe(1);
    expect([...watch.avoid("anything")]).toEqual(["one"]);
  });

  it("is not suspected where one guard of five fails, or where it came back", () => {
    const { watch, suspicions } = setup();
    for (const guard of ["a", "b", "c", "d"]) watch.reached(guard, one);
    watch.failed("e", one);
    expect(suspicions).toEqual([]);
    watch.reached("e", one);
    watch.failed("a", one);
    expect(suspicions).toEqual([]);
  });

  it("is tried again after a day", () => {
    const { watch, clock } = setup();
    for (const guard of ["a", "b", "c", "d", "e"]) watch.failed(guard, one);
    clock.advance(24 * HOUR);
    expect(watch.avoid("a").size).toBe(0);
  });
});

it("without bridges nothing is counted or bounded", () => {
  const { watch, suspicions } = setup();
  for (let i = 0; i < 50; i++) {
    expect(watch.mayTry(`guard ${i}`)).toBe(true);
    watch.failed(`guard ${i}`, none);
  }
  expect(suspicions).toEqual([]);
  expect(watch.avoid("guard 1").size).toBe(0);
});

describe("the list of bridges", () => {
  it("says how many guards were tried through each and failed, and which is suspected", () => {
    const { watch } = setup();
    expect(watch.list()).toEqual([]);
    for (const guard of ["a", "b", "c"]) watch.reached(guard, two);
    for (const guard of ["a", "b", "c", "d", "d"]) watch.failed(guard, one);
    expect(watch.list()).toEqual([
      { bridge: "two", tried: 3, failed: 0, suspected: false },
      { bridge: "one", tried: 4, failed: 4, suspected: false },
    ]);
    watch.failed("e", one);
    watch.reached("a", one);
    expect(watch.list()[1]).toEqual({ bridge: "one", tried: 5, failed: 4, suspected: true });
  });

  it("is empty where nothing was dialled through a bridge, and after a day", () => {
    const { watch, clock } = setup();
    watch.failed("a", none);
    watch.reached("b", none);
    expect(watch.list()).toEqual([]);
    watch.failed("a", one);
    clock.advance(24 * HOUR);
    expect(watch.list()).toEqual([]);
  });
});
