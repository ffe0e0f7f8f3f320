import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Relay } from "../../src/directory/api.ts";
import { PathSelector } from "../../src/path/select.ts";
import { RelayWeights } from "../../src/path/weights.ts";
import { deviation, seedRandomness } from "./frequencies.ts";
import {
  ALL_RULES,
  anyGuard,
  areApart,
  lawfulWeight,
  mayBeExit,
  mayBeGuard,
  mayBeMiddle,
} from "./path-rules.ts";
import { exitRelay, familyName, guardRelay, netdir, relay } from "./synthetic.ts";

/** Counts are further off than this in one of thirty million; the seeds are fixed besides. */
const FAR = 5.4;
const WEB = { port: 443, family: 4 } as const;

afterEach(() => void vi.unstubAllGlobals());

function countsOf<T>(outcomes: readonly T[], draws: number, draw: () => T | undefined): number[] {
  const counts = new Map<T | undefined, number>();
  for (let i = 0; i < draws; i++) {
    const outcome = draw();
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  const known = outcomes.map((outcome) => counts.get(outcome) ?? 0);
  expect(known.reduce((sum, count) => sum + count, 0)).toBe(draws);
  return known;
}

describe("the measure itself", () => {
  const shares = [1, 2, 3, 4, 5, 6, 7, 8];
  const fair = (relays: readonly Relay[]) => {
    seedRandomness(1);
    const candidates = new RelayWeights(netdir(relays)).candidates(relays, "middle");
    return countsOf(relays, 50_000, () => candidates.choose(() => true));
  };
  const relays = shares.map((share, id) => relay({ id, bandwidth: share * 100 }));

  it("passes what is fair", () => {
    expect(Math.abs(deviation(fair(relays), shares))).toBeLessThan(FAR);
  });

  it("notices a share that is a tenth too large, one that should be nothing, and counts too regular for chance", () => {
    const counts = fair(relays);
    expect(deviation(counts, [...shares.slice(0, 7), 8.8])).toBeGreaterThan(FAR);
    expect(deviation(counts, [0, ...shares.slice(1)])).toBe(Number.POSITIVE_INFINITY);
    const [regular, many] = [Array.from({ length: 50 }, () => 1000), Array.from({ length: 50 }, () => 1)];
    expect(deviation(regular, many)).toBeLessThan(-FAR);
  });
});

describe("candidates", () => {
  /** From all to a ten-thousandth of the weight: the first draws decide, or the look at all does, or either. */
  it.each([1, 0.3, 0.05, 0.01, 0.0001])("keep their shares when %d of the weight is allowed", (part) => {
    seedRandomness(2);
    const allowed = Array.from({ length: 30 }, (_, id) => relay({ id, bandwidth: 1 + id * id }));
    const total = allowed.reduce((sum, one) => sum + one.bandwidth, 0);
    const barred = part === 1 ? [] : [relay({ id: 100, bandwidth: total / part - total })];
    const relays = [...allowed.slice(0, 15), ...barred, ...allowed.slice(15)];
    const candidates = new RelayWeights(netdir(relays)).candidates(relays, "middle");
    const counts = countsOf(allowed, 40_000, () => candidates.choose((one) => !barred.includes(one)));
    expect(
      Math.abs(
        deviation(
          counts,
          allowed.map((one) => one.bandwidth),
        ),
      ),
    ).toBeLessThan(FAR);
  });

  it("are all as likely when they weigh nothing, allowed all or in part", () => {
    seedRandomness(3);
    const relays = Array.from({ length: 20 }, (_, id) => relay({ id, bandwidth: id < 10 ? 0 : 5 }));
    const light = relays.slice(0, 10);
    const candidates = new RelayWeights(netdir(relays)).candidates(relays, "middle");
    const counts = countsOf(light, 20_000, () => candidates.choose((one) => one.bandwidth === 0));
    expect(
      Math.abs(
        deviation(
          counts,
          light.map(() => 1),
        ),
      ),
    ).toBeLessThan(FAR);
  });

  it("keep their shares in networks of all kinds", () => {
    const one = fc.tuple(fc.nat(100), fc.boolean());
    const property = fc.property(fc.array(one, { minLength: 3, maxLength: 40, size: "max" }), (list) => {
      seedRandomness(4);
      const relays = list.map(([bandwidth], id) => relay({ id, bandwidth }));
      const allowed = relays.filter((relay, i) => list[i]?.[1] === true && relay.bandwidth > 0);
      fc.pre(allowed.length > 2);
      const candidates = new RelayWeights(netdir(relays)).candidates(relays, "middle");
      const counts = countsOf(allowed, 3000, () =>
        candidates.choose((one) => list[relays.indexOf(one)]?.[1] === true),
      );
      const expected = allowed.map((one) => one.bandwidth);
      expect(Math.abs(deviation(counts, expected))).toBeLessThan(FAR);
    });
    fc.assert(property, { numRuns: 60, seed: 20260222 });
  });
});

/** A network in which every pair of a guard and an exit that may be together has a middle. */
function smallNetwork(salt: number): Relay[] {
  const bandwidth = (id: number) => 20 + ((id * 7919 + salt * 104_729) % 97);
  return [
    guardRelay(1, { bandwidth: bandwidth(1), family: [familyName(5)] }),
    guardRelay(2, { bandwidth: bandwidth(2), familyIds: ["ed25519:x"] }),
    guardRelay(3, { bandwidth: bandwidth(3), addresses: ["10.6.1.1:1"] }),
    guardRelay(4, {
      bandwidth: bandwidth(4),
      flags: ["Fast", "Stable", "Valid", "V2Dir", "Guard", "Exit"],
      ports: [443],
    }),
    exitRelay(5, { bandwidth: bandwidth(5), family: [familyName(1), familyName(8)] }),
    exitRelay(6, { bandwidth: bandwidth(6) }),
    exitRelay(7, { bandwidth: bandwidth(7), flags: ["Fast", "Valid", "Exit", "BadExit"] }),
    relay({ id: 8, bandwidth: bandwidth(8), family: [familyName(5)] }),
    relay({ id: 9, bandwidth: bandwidth(9), familyIds: ["ed25519:x"] }),
    relay({ id: 10, bandwidth: bandwidth(10), flags: ["Fast", "Valid", "MiddleOnly"], ports: [443] }),
    relay({ id: 11, bandwidth: bandwidth(11), ports: [443] }),
  ];
}

describe("whole paths", () => {
  /** Each path's probability by path-spec: the exit by weight, then the guard beside it, then the middle beside both. */
  function probabilities(relays: readonly Relay[]): Map<string, number> {
    const result = new Map<string, number>();
    const shares = (list: readonly Relay[], position: "g" | "m" | "e") => {
      const total = list.reduce((sum, one) => sum + lawfulWeight(one, position), 0);
      return list.map((one) => [one, lawfulWeight(one, position) / total] as const);
    };
    const exits = relays.filter((one) => mayBeExit(one, WEB));
    for (const [exit, ofExit] of shares(exits, "e")) {
      const guards = relays.filter((one) => mayBeGuard(one) && areApart(one, exit, ALL_RULES));
      for (const [guard, ofGuard] of shares(guards, "g")) {
        const middles = relays.filter(
          (one) => mayBeMiddle(one, WEB) && areApart(one, exit, ALL_RULES) && areApart(one, guard, ALL_RULES),
        );
        for (const [middle, ofMiddle] of shares(middles, "m")) {
          result.set([guard, middle, exit].map((one) => one.nickname).join(), ofExit * ofGuard * ofMiddle);
        }
      }
    }
    return result;
  }

  it.each([1, 2, 3])("come as often as path-spec has it (network %d)", async (salt) => {
    seedRandomness(salt);
    const relays = smallNetwork(salt);
    const expected = probabilities(relays);
    const selector = new PathSelector(netdir(relays), true);
    const counts = new Map<string, number>();
    for (let i = 0; i < 40_000; i++) {
      const { guard, middle, exit } = await selector.path(WEB, anyGuard(selector), new Set());
      const name = [guard, middle, exit].map((one) => one.nickname).join();
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect([...counts.keys()].filter((name) => !expected.has(name))).toEqual([]);
    const observed = [...expected.keys()].map((name) => counts.get(name) ?? 0);
    expect(Math.abs(deviation(observed, [...expected.values()]))).toBeLessThan(FAR);
    expect(observed.filter((count) => count > 0).length).toBeGreaterThan(40);
  });

  it("have exits of the wanted countries alone, in their own shares", async () => {
    seedRandomness(5);
    const relays = smallNetwork(5);
    const wanted = relays.filter((one) => mayBeExit(one, WEB) && one.nickname !== "Relay11");
    const countries = new Set(["DE"]);
    const countryOf = ({ address }: { address: Uint8Array }) => (address[1] === 11 ? "FR" : "DE");
    const exits = { countries, strict: true, countryOf };
    const selector = new PathSelector(netdir(relays), true, { exits });
    const counts = new Map<Relay, number>();
    for (let i = 0; i < 10_000; i++) {
      const { exit } = await selector.path(WEB, anyGuard(selector), new Set());
      counts.set(exit, (counts.get(exit) ?? 0) + 1);
    }
    expect([...counts.keys()].filter((one) => !wanted.includes(one))).toEqual([]);
    const observed = wanted.map((one) => counts.get(one) ?? 0);
    const expected = wanted.map((one) => lawfulWeight(one, "e"));
    expect(Math.abs(deviation(observed, expected))).toBeLessThan(FAR);
  });

  it("have directory caches in their shares", () => {
    seedRandomness(6);
    const relays = smallNetwork(6);
    const caches = relays.filter(({ flags }) => flags.has("V2Dir") && !flags.has("MiddleOnly"));
    const selector = new PathSelector(netdir(relays), true);
    const counts = countsOf(caches, 20_000, () => selector.directoryCache(new Set()));
    const expected = caches.map((one) => lawfulWeight(one, "b"));
    expect(Math.abs(deviation(counts, expected))).toBeLessThan(FAR);
  });
});
