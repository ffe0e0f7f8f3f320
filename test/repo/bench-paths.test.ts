// The comparison of paths with C tor's, without a network: its statistics, what it expects of paths, and that it notices clients
// that choose in another way.

import { describe, expect, it } from "vitest";
import { chiSquareTail, goodnessOfFit, twoSamples } from "../bench/paths/chi-square.ts";
import { Comparison } from "../bench/paths/comparison.ts";
import { essence, Law, type LikelyPath, type PathNames } from "../bench/paths/law.ts";
import { NODES } from "../bench/paths/network.ts";
import type { Row } from "../bench/table.ts";
import { type Layout, layoutOf } from "../tornet/layout.ts";
import { bandwidthFile, OWN_VOTING, type TorrcContext, torrc } from "../tornet/torrc.ts";
import type { NodeSpec } from "../tornet/types.ts";

const WEIGHTS =
  "Wbd=0 Wbe=0 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=8666 Wee=10000 Weg=8666 Wem=10000 Wgb=10000 Wgd=667 Wgg=8025 Wgm=8025 Wmb=10000 Wmd=667 Wme=0 Wmg=1975 Wmm=10000";

function flagsOf({ role, isGuard = role === "guard", verdict, exitPorts }: NodeSpec): string {
  const flags = ["Fast", "Running", "Stable", "Valid"];
  if (isGuard) flags.push("Guard");
  if (verdict !== "MiddleOnly") flags.push("V2Dir");
  if (verdict !== undefined) flags.push("BadExit");
  if (role === "exit" && (exitPorts === undefined || exitPorts.includes(80))) flags.push("Exit");
  return flags.sort().join(" ");
}

/** What the authorities of such a network would sign, as far as paths depend on it. */
function consensusOf(nodes: readonly NodeSpec[], guardsToUse = 2, weights = WEIGHTS): string {
  const entries = nodes
    .filter(({ role }) => role !== "client")
    .flatMap((node) => [
      `r ${node.nickname} AAAA 2038-01-01 00:00:00 127.0.0.1 9001 0`,
      "m digest",
      `s ${node.role === "authority" ? "Authority Running Stable V2Dir Valid" : flagsOf(node)}`,
      node.weight === undefined ? "w Bandwidth=20 Unmeasured=1" : `w Bandwidth=${node.weight}`,
    ]);
  const params = `params cc_alg=2 guard-n-primary-guards-to-use=${guardsToUse}`;
  return [params, ...entries, `bandwidth-weights ${weights}`, ""].join("\r\n");
}

const law = new Law(consensusOf(NODES), NODES);
const lawful = law.paths(443);

function sharesOf(paths: readonly LikelyPath[], place: keyof PathNames): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const path of paths) shares[path[place]] = (shares[path[place]] ?? 0) + path.chance;
  return shares;
}

describe("chi-square", () => {
  it("has the tail that tables give", () => {
    for (const [x, freedom, p] of [
      [3.841, 1, 0.05],
      [5.991, 2, 0.05],
      [7.815, 3, 0.05],
      [29.588, 10, 0.001],
      [43.773, 30, 0.05],
    ] as const)
      expect(chiSquareTail(x, freedom)).toBeCloseTo(p, 4);
    expect(chiSquareTail(0, 4)).toBe(1);
  });

  it("holds counts against shares", () => {
    expect(goodnessOfFit([25, 35, 40], [1, 1, 2])).toEqual({
      statistic: 6,
      freedom: 2,
      p: chiSquareTail(6, 2),
    });
    expect(goodnessOfFit([99, 1], [1, 0]).p).toBe(0);
  });

  it("counts what is rare together", () => {
    // 3, 3 and 94 are expected: the two rare ones make a group of 6.
    expect(goodnessOfFit([6, 0, 94], [3, 3, 94])).toMatchObject({ statistic: 0, freedom: 1 });
    expect(() => goodnessOfFit([4, 4], [1, 1])).toThrow(RangeError);
  });

  it("compares two sets of counts, of one size or of two", () => {
    // 2 by 2: 100 * (30 * 30 - 20 * 20)^2 / 50^4
    expect(twoSamples([30, 20], [20, 30]).statistic).toBeCloseTo(4, 10);
    expect(twoSamples([300, 200], [30, 20]).statistic).toBeCloseTo(0, 10);
    expect(twoSamples([300, 200], [20, 30]).p).toBeLessThan(0.01);
  });
});

describe("what is expected of paths", () => {
  it("adds up, breaks no rule, and has every relay that may come", () => {
    for (const port of [443, 8443]) {
      const paths = law.paths(port);
      expect(paths.reduce((sum, { chance }) => sum + chance, 0)).toBeCloseTo(1, 10);
      expect(paths.filter((path) => law.broken(path, port) !== undefined)).toEqual([]);
    }
    const exits = sharesOf(law.paths(443), "exit");
    expect(Object.keys(exits).sort()).toEqual(["both1", "both2", "exit1", "exit2", "exit3", "webexit"]);
    const total = 7000 + 4000 + 3000 + 2500 + 0.8666 * 20_000;
    expect(exits.exit1).toBeCloseTo(7000 / total, 10);
    expect(exits.both1).toBeCloseTo((0.8666 * 12_000) / total, 10);
    expect(sharesOf(law.paths(8443), "exit").oddexit).toBeGreaterThan(0.1);
  });

  const small: readonly NodeSpec[] = [
    { nickname: "a", role: "guard", subnet: 1, weight: 2000 },
    { nickname: "b", role: "guard", subnet: 2, weight: 1000 },
    { nickname: "c", role: "guard", subnet: 3, weight: 1000 },
    { nickname: "m", role: "middle", subnet: 4, weight: 1000 },
    { nickname: "x", role: "exit", subnet: 3, weight: 1000 },
  ];
  const plain = "Wgg=10000 Wmm=10000 Wmg=0 Wme=0 Wee=10000 Wmb=10000 Wgb=10000 Web=10000";

  it("takes the next guard of the sample where the first cannot stand beside the exit", () => {
    const guards = sharesOf(new Law(consensusOf(small, 1, plain), small).paths(443), "guard");
    expect(guards.a).toBeCloseTo(2 / 3, 10);
    expect(guards.b).toBeCloseTo(1 / 3, 10);
  });

  it("counts a guard that does not fit as one of those between which circuits are spread", () => {
    const guards = sharesOf(new Law(consensusOf(small, 2, plain), small).paths(443), "guard");
    // Of abc's first two: a and b share; with c, which stands in the exit's subnet, a or b is alone.
    const [ab, ac, bc] = [1 / 4 + 1 / 6, 1 / 4 + 1 / 6, 1 / 12 + 1 / 12];
    expect(guards.a).toBeCloseTo(ab / 2 + ac, 10);
    expect(guards.b).toBeCloseTo(ab / 2 + bc, 10);
    expect(guards.c).toBeUndefined();
    const same = (toUse: number) => new Law(consensusOf(small, toUse, plain), small).sameGuard(443);
    expect(same(2)).toBeCloseTo(ab / 2 + ac + bc, 10);
    expect(same(1)).toBeCloseTo(1, 10);
  });

  it.each([
    [{ guard: "middle1", middle: "middle2", exit: "exit3" }, "middle1 is no guard"],
    [{ guard: "guard1", middle: "middle1", exit: "oddexit" }, "does not let port 443 out"],
    [{ guard: "guard1", middle: "middle1", exit: "badexit" }, "does not let port 443 out"],
    [{ guard: "guard1", middle: "middle1", exit: "middleonly" }, "does not let port 443 out"],
    [{ guard: "guard1", middle: "auth1", exit: "exit1" }, "auth1 is not Fast"],
    [{ guard: "guard2", middle: "middle1", exit: "exit1" }, "guard2 and exit1"],
    [{ guard: "guard4", middle: "middle1", exit: "exit1" }, "guard4 and middle1"],
    [{ guard: "guard1", middle: "oddexit", exit: "webexit" }, "oddexit and webexit"],
    [{ guard: "both1", middle: "middle1", exit: "both1" }, "both1 and both1"],
    [{ guard: "guard1", middle: "stranger", exit: "exit1" }, "not listed"],
  ])("sees what is wrong with %o", (path, why) => {
    expect(law.broken(path, 443)).toContain(why);
  });

  it("takes two consensuses for one when paths are the same", () => {
    const [one, other] = [consensusOf(NODES), consensusOf(NODES).replaceAll("\r\n", "\n")];
    expect(essence(one)).toBe(essence(other.replaceAll("m digest", "m another")));
    expect(essence(one)).not.toBe(essence(other.replace("w Bandwidth=14000", "w Bandwidth=14001")));
  });
});

describe("the comparison", () => {
  /** The same numbers in every run (Park and Miller). */
  function generator(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
  }

  function draw(paths: readonly LikelyPath[], random: () => number): PathNames {
    let left = random() * paths.reduce((sum, { chance }) => sum + chance, 0);
    for (const path of paths) {
      left -= path.chance;
      if (left < 0) return path;
    }
    return paths.at(-1) as LikelyPath;
  }

  /** The second path through a sample: as often as `share` with the first one's guard. */
  function drawSecond(first: PathNames, share: number, random: () => number): PathNames {
    const isSame = random() < share;
    const paths = lawful.filter(({ guard }) => (guard === first.guard) === isSame);
    return draw(paths, random);
  }

  /** p values and counts of a client beside one that does as the law says, by table and row. */
  function compare(client: (random: () => number) => PathNames, share = law.sameGuard(443)) {
    const comparison = new Comparison(law, 443, ["C tor", "Allium"]);
    const [random, other] = [generator(1), generator(2)];
    for (let i = 0; i < 600; i++) {
      const [first, own] = [draw(lawful, random), client(other)];
      comparison.add("C tor", first, drawSecond(first, law.sameGuard(443), random));
      comparison.add("Allium", own, drawSecond(own, share, other));
    }
    const tables = comparison.tables();
    return (title: string, name: string, unit: string): number => {
      const rows: readonly Row[] = tables.find((table) => table.title.startsWith(title))?.rows ?? [];
      const found = rows.find((row) => row.title === name && row.unit === unit)?.samples.Allium;
      return found?.[0]?.[0] ?? Number.NaN;
    };
  }

  it("passes a client that chooses as the law says", () => {
    const value = compare((random) => draw(lawful, random));
    for (const place of ["The guard", "The middle", "The exit"]) {
      expect(value(place, "against expected", "p")).toBeGreaterThan(0.001);
      expect(value(place, "against C tor", "p")).toBeGreaterThan(0.001);
    }
    expect(value("Whole", "against a rule", "paths")).toBe(0);
    expect(value("Whole", "in all", "paths")).toBe(1200);
    expect(value("Whole", "that against expected", "p")).toBeGreaterThan(0.001);
  });

  it("notices one that does not weigh", () => {
    const even = lawful.map((path) => ({ ...path, chance: 1 }));
    const value = compare((random) => draw(even, random));
    for (const place of ["The guard", "The middle", "The exit"]) {
      expect(value(place, "against expected", "p")).toBeLessThan(0.001);
      expect(value(place, "against C tor", "p")).toBeLessThan(0.001);
    }
  });

  it("notices one that uses a single guard where two are to be used", () => {
    const single = new Law(consensusOf(NODES, 1), NODES);
    const paths = single.paths(443);
    const value = compare((random) => draw(paths, random), single.sameGuard(443));
    expect(value("Whole", "that against expected", "p")).toBeLessThan(0.001);
  });

  it("notices one that heeds no family", () => {
    const strangers = NODES.map(({ family: _, familyKey: __, ...node }) => node);
    const paths = new Law(consensusOf(NODES), strangers).paths(443);
    const value = compare((random) => draw(paths, random));
    expect(value("Whole", "against a rule", "paths")).toBeGreaterThan(50);
    expect(value("Whole", "guard and exit against expected", "p")).toBe(0);
  });
});

describe("a network of other nodes", () => {
  const layout = layoutOf(0, NODES);
  const keys = new Map(
    layout.nodes.map(({ nickname }) => [
      nickname,
      { rsaId: nickname.toUpperCase(), ed25519Id: "B", v3ident: "C" },
    ]),
  );

  function torrcOf(nickname: string, of: Layout = layout): string[] {
    const node = of.nodes.find((candidate) => candidate.nickname === nickname);
    if (node === undefined) throw new Error(`no ${nickname}`);
    const context: TorrcContext = {
      ...{ layout: of, keys, scheduler: "KIST", dataDirectory: "/d", resolvConf: "/r", bandwidthFile: "/b" },
      ...{ ownerPid: 1, timing: { startedAt: 0, isBusy: false }, consensusParams: {}, voting: OWN_VOTING },
      ...{ everyRelayIsGuard: false, isBehindProxy: false },
    };
    return torrc(node, context).split("\n");
  }

  it("has each in the subnet that it was given, at an address of its own", () => {
    const addresses = layout.nodes.map(({ address }) => address);
    expect(new Set(addresses).size).toBe(NODES.length);
    const addressOf = (name: string) => layout.nodes.find(({ nickname }) => nickname === name)?.address;
    expect([addressOf("guard3"), addressOf("exit3")]).toEqual(["127.19.0.1", "127.19.0.2"]);
    expect(layoutOf(0).nodes.map(({ address }) => address)).toEqual(
      Array.from({ length: 12 }, (_, slot) => `127.${16 + slot}.0.1`),
    );
  });

  it("tells relays their families and exits their ports", () => {
    expect(torrcOf("guard2")).toContain("MyFamily $GUARD2,$MIDDLE2,$EXIT1");
    expect(torrcOf("guard4")).toContain("FamilyId *");
    expect(torrcOf("guard1").filter((line) => /Family/.test(line))).toEqual([]);
    const policy = (lines: readonly string[]) => lines.filter((line) => line.startsWith("ExitPolicy "));
    expect(policy(torrcOf("oddexit"))).toEqual([
      "ExitPolicy accept 127.0.0.0/8:8443",
      "ExitPolicy accept *:8443",
      "ExitPolicy reject *:*",
    ]);
    expect(policy(torrcOf("exit1"))).toEqual(["ExitPolicy accept 127.0.0.0/8:*", "ExitPolicy accept *:*"]);
    expect(policy(torrcOf("middle1"))).toEqual(["ExitPolicy reject *:*"]);
  });

  it("has the authorities vote flags and weights", () => {
    const lines = torrcOf("auth1");
    const guards = "GUARD1,GUARD2,GUARD3,GUARD4,GUARD5,GUARD6,BOTH1,BOTH2";
    expect(lines).toContain(`TestingDirAuthVoteGuard ${guards}`);
    expect(lines).toContain("AuthDirListBadExits 1");
    expect(lines).toContain("AuthDirBadExit 127.25.0.2");
    expect(lines).toContain("AuthDirListMiddleOnly 1");
    expect(lines).toContain("AuthDirMiddleOnly 127.26.0.1");
    expect(torrcOf("auth1", layoutOf(0)).filter((line) => /BadExit|MiddleOnly/.test(line))).toEqual([]);
    expect(bandwidthFile(layout, keys, 0)).toContain("node_id=$GUARD1 bw=14000 nick=guard1\n");
    expect(bandwidthFile(layout, keys, 0)).toContain("node_id=$AUTH1 bw=10 nick=auth1\n");
    expect(bandwidthFile(layoutOf(0), keys, 0)).toContain("node_id=$GUARD1 bw=10000 nick=guard1\n");
  });
});
