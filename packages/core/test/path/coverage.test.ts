import { describe, expect, it } from "vitest";
import type { Relay } from "../../src/directory/api.ts";
import { shortageOf } from "../../src/path/coverage.ts";
import { exitRelay, familyName, guardRelay, netdir, relay } from "./synthetic.ts";

const nobody: ReadonlySet<string> = new Set();

/** Ten relays of each kind, of which the first so many are described. */
function network({ guards = 10, middles = 10, exits = 10 }, params: Readonly<Record<string, number>> = {}) {
  const all: [Relay, boolean][] = [];
  for (let i = 0; i < 10; i++) {
    all.push([guardRelay(i), i < guards], [relay({ id: 100 + i }), i < middles]);
    all.push([exitRelay(200 + i), i < exits]);
  }
  const those = (described: boolean) => all.filter(([, is]) => is === described).map(([one]) => one);
  return netdir(those(true), { undescribed: those(false), params });
}

describe("the rule of 60 % of all paths", () => {
  it("is met by a whole network, and by 90 % of each position", () => {
    expect(shortageOf(network({}), nobody)).toBeUndefined();
    expect(shortageOf(network({ guards: 9, middles: 9, exits: 9 }), nobody)).toBeUndefined();
  });

  it("is not met when one position lacks too many, whatever the others have", () => {
    for (const part of ["guards", "exits"] as const) {
      const text = shortageOf(network({ [part]: 5 }), nobody);
      expect(text).toContain(`50 % of ${part}`);
      expect(text).toContain("60 % are needed");
    }
  });

  it("multiplies the positions", () => {
    // 80 % of each is half of all paths.
    expect(shortageOf(network({ guards: 8, middles: 8, exits: 8 }), nobody)).toContain("of all paths");
  });

  it("weighs relays by their bandwidth: one that carries most of the exits is not to be withheld", () => {
    const exits = [exitRelay(1), exitRelay(2), exitRelay(3)];
    const big = exitRelay(4, { bandwidth: 10_000 });
    const others = [guardRelay(5), relay({ id: 6, bandwidth: 1000 })];
    expect(shortageOf(netdir([...exits, ...others], { undescribed: [big] }), nobody)).toMatch(
      /2\d % of exits/,
    );
    expect(shortageOf(netdir([big, ...others], { undescribed: exits }), nobody)).toBeUndefined();
  });

  it("takes its bound from the network, between 25 and 95 %", () => {
    const half = { exits: 5 };
    expect(shortageOf(network(half, { min_paths_for_circs_pct: 40 }), nobody)).toBeUndefined();
    expect(shortageOf(network({}, { min_paths_for_circs_pct: 95 }), nobody)).toBeUndefined();
  });

  it("counts no exit that lets nothing out, and middles for exits where there are none", () => {
    const silent = exitRelay(300, { ports: [], bandwidth: 1_000_000 });
    const { relays, undescribed } = network({ exits: 5 });
    expect(shortageOf(netdir([...relays, silent], { undescribed }), nobody)).toContain("50 % of exits");
    const inner = [guardRelay(1), guardRelay(2), relay({ id: 3 }), relay({ id: 4 })];
    expect(shortageOf(netdir(inner), nobody)).toBeUndefined();
  });

  it("counts heads where nobody weighs anything", () => {
    const weightless = Array.from({ length: 10 }, (_, i) =>
      relay({
        id: i,
        flags: ["Exit", "Fast", "Guard", "Running", "Stable", "Valid"],
        bandwidth: 0,
        ports: [443],
      }),
    );
    const of = (described: number) =>
      shortageOf(
        netdir(weightless.slice(0, described), { undescribed: weightless.slice(described) }),
        nobody,
      );
    expect(of(9)).toBeUndefined();
    expect(of(8)).toContain("80 % of guards");
  });
});

describe("primary guards", () => {
  it("must all be described, if they are listed", () => {
    const guards = [guardRelay(50), guardRelay(51)];
    const { relays } = network({});
    const primary = new Set([50, 51, 52].map((id) => familyName(id).slice(1)));
    expect(
      shortageOf(netdir([...relays, guards[0] as Relay], { undescribed: guards.slice(1) }), primary),
    ).toBe("1 of 3 primary guards are not described yet");
    expect(shortageOf(netdir([...relays, ...guards]), primary)).toBeUndefined();
  });
});
