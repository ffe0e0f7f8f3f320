import { describe, expect, it } from "vitest";
import type { Relay, RelayFlag } from "../../src/directory/api.ts";
import { type Position, RelayWeights } from "../../src/path/weights.ts";
import { LIVE_WEIGHTS, netdir, relay } from "./synthetic.ts";

const KINDS: readonly (readonly RelayFlag[])[] = [[], ["Guard"], ["Exit"], ["Guard", "Exit"]];
const DISTINCT = Object.fromEntries(
  [
    "Wgm",
    "Wgg",
    "Wgd",
    "Wmm",
    "Wmg",
    "Wme",
    "Wmd",
    "Wem",
    "Weg",
    "Wee",
    "Wed",
    "Wbm",
    "Wbg",
    "Wbe",
    "Wbd",
  ].map((name, i) => [name, 100 * (i + 1)]),
);
const DIR_FACTORS = { Wmb: 9000, Wgb: 8000, Web: 7000, Wdb: 6000 };

function ofKind(kind: readonly RelayFlag[], extra: readonly RelayFlag[] = []): Relay {
  return relay({ id: 1, flags: ["Valid", ...kind, ...extra], bandwidth: 7 });
}

describe("the weight of a relay", () => {
  const weights = new RelayWeights(netdir([ofKind([])], { weights: { ...DISTINCT, ...DIR_FACTORS } }));
  const table: [Position, readonly number[]][] = [
    ["guard", [100, 200, 0, 300]],
    ["middle", [400, 500, 600, 700]],
    ["exit", [800, 900, 1000, 1100]],
    ["dir", [1200, 1300, 1400, 1500]],
  ];

  for (const [position, expected] of table) {
    it(`is its bandwidth times the consensus weight of its kind for the position "${position}"`, () => {
      for (const [i, kind] of KINDS.entries()) {
        expect(weights.weight(ofKind(kind), position)).toBeCloseTo((7 * (expected[i] ?? 0)) / 10_000, 12);
      }
    });

    it(`of a directory cache has the Wxb factor for the position "${position}"`, () => {
      const factors = position === "dir" ? [1, 1, 1, 1] : [0.9, 0.8, 0.7, 0.6];
      for (const [i, kind] of KINDS.entries()) {
        const want = ((7 * (expected[i] ?? 0)) / 10_000) * (factors[i] ?? 0);
        expect(weights.weight(ofKind(kind, ["V2Dir"]), position)).toBeCloseTo(want, 12);
      }
    });
  }

  it("of a BadExit is that of a relay without Exit", () => {
    expect(weights.weight(ofKind(["Exit", "BadExit"]), "middle")).toBe(weights.weight(ofKind([]), "middle"));
  });

  it("is its bandwidth alone when the consensus lacks one of the weights", () => {
    const { Wmd: _, ...incomplete } = LIVE_WEIGHTS;
    const partial = new RelayWeights(netdir([ofKind([])], { weights: incomplete }));
    for (const kind of KINDS) expect(partial.weight(ofKind(kind, ["V2Dir"]), "middle")).toBe(7);
    // The other positions still have all of theirs.
    expect(partial.weight(ofKind(["Exit"]), "guard")).toBe(0);
  });

  it("follows bwweightscale", () => {
    const scaled = new RelayWeights(netdir([ofKind([])], { params: { bwweightscale: 20_000 } }));
    expect(scaled.weight(ofKind(["Guard"]), "middle")).toBeCloseTo((7 * 4040) / 20_000, 12);
  });

  it("is nothing for an unmeasured relay once another is measured", () => {
    const measured = relay({ id: 1, bandwidth: 10 });
    const unmeasured = relay({ id: 2, bandwidth: 10, unmeasured: true });
    expect(new RelayWeights(netdir([measured, unmeasured])).weight(unmeasured, "middle")).toBe(0);
    expect(new RelayWeights(netdir([unmeasured])).weight(unmeasured, "middle")).toBeGreaterThan(0);
  });
});

/** Counts of 40000 draws by relay id. */
function draw(relays: readonly Relay[], position: Position, weights = LIVE_WEIGHTS): Map<Relay, number> {
  const candidates = new RelayWeights(netdir(relays, { weights })).candidates(relays, position);
  const counts = new Map<Relay, number>(relays.map((one) => [one, 0]));
  for (let i = 0; i < DRAWS; i++) {
    const chosen = candidates.choose(() => true);
    if (chosen !== undefined) counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  return counts;
}

const DRAWS = 40_000;

/** Seven standard deviations of a binomial count: the chance to be outside is below 3e-12. */
function expectShare(count: number, share: number): void {
  const deviation = Math.sqrt(DRAWS * share * (1 - share));
  expect(Math.abs(count - DRAWS * share)).toBeLessThan(7 * deviation + 1);
}

describe("weighted choice", () => {
  it("draws each relay in proportion to its weight", () => {
    const relays = [
      relay({ id: 1, flags: ["Valid", "Guard"], bandwidth: 100 }),
      relay({ id: 2, flags: ["Valid"], bandwidth: 50 }),
      relay({ id: 3, flags: ["Valid", "Guard", "Exit"], bandwidth: 400 }),
      relay({ id: 4, flags: ["Valid", "Exit"], bandwidth: 900 }),
      relay({ id: 5, flags: ["Valid"], bandwidth: 1 }),
    ];
    const want = [100 * 0.404, 50, 400 * 0.0817, 0, 1];
    const total = want.reduce((sum, weight) => sum + weight, 0);
    const counts = draw(relays, "middle");
    for (const [i, one] of relays.entries()) expectShare(counts.get(one) ?? 0, (want[i] ?? 0) / total);
    expect(counts.get(relays[3] as Relay)).toBe(0);
  });

  it("is uniform when no relay has any bandwidth, as on a network without measurements", () => {
    const relays = [1, 2, 3, 4].map((id) => relay({ id, flags: ["Valid"], bandwidth: 0, unmeasured: true }));
    for (const count of draw(relays, "exit").values()) expectShare(count, 1 / 4);
  });

  it("is uniform among candidates whose weights are all zero", () => {
    const exits = [1, 2].map((id) => relay({ id, flags: ["Valid", "Exit"], bandwidth: 10 * id }));
    for (const count of draw(exits, "middle").values()) expectShare(count, 1 / 2);
  });

  it("never picks a relay of weight zero at either end of the list", () => {
    const relays = [0, 5, 0].map((bandwidth, id) => relay({ id, flags: ["Valid"], bandwidth }));
    expect(draw(relays, "middle").get(relays[1] as Relay)).toBe(DRAWS);
  });

  it("has no answer for no candidates", () => {
    const weights = new RelayWeights(netdir([]));
    expect(weights.candidates([], "middle").choose(() => true)).toBeUndefined();
  });

  it("has no answer when none is allowed", () => {
    const relays = [1, 2, 3].map((id) => relay({ id, bandwidth: id }));
    const candidates = new RelayWeights(netdir(relays)).candidates(relays, "middle");
    expect(candidates.choose(() => false)).toBeUndefined();
  });

  it("finds the one that is allowed, however small its share", () => {
    const relays = Array.from({ length: 1000 }, (_, id) =>
      relay({ id, bandwidth: id === 500 ? 1 : 10 ** 9 }),
    );
    const candidates = new RelayWeights(netdir(relays)).candidates(relays, "middle");
    expect(candidates.choose((one) => one === relays[500])).toBe(relays[500]);
  });

  it("takes one that weighs nothing when no other is allowed", () => {
    const relays = [0, 5].map((bandwidth, id) => relay({ id, bandwidth }));
    const candidates = new RelayWeights(netdir(relays)).candidates(relays, "middle");
    expect(candidates.choose((one) => one !== relays[1])).toBe(relays[0]);
  });
});
