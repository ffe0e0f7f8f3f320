import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { isTorError, TorError } from "../../src/base/errors.ts";
import type { NetDir, Relay, RelayFlag } from "../../src/directory/api.ts";
import { type ExitTarget, type GuardSource, type Path, PathSelector } from "../../src/path/select.ts";
import { exitRelay, familyName, guardRelay, netdir, type RelaySketch, relay } from "./synthetic.ts";

const WEB: ExitTarget = { port: 443, family: 4 };
const NONE: ReadonlySet<string> = new Set();

/** Guards by weight without any memory. */
function anyGuard(selector: PathSelector): GuardSource {
  return {
    async next(_netdir, allowed) {
      const guard = selector.sampleGuard(allowed);
      if (guard === undefined) throw new TorError("no-path", "ALLIUM_E_NO_GUARD", "no guard");
      return guard;
    },
  };
}

function pathOf(view: NetDir, target = WEB, avoid = NONE, distinctSubnets = true): Promise<Path> {
  const selector = new PathSelector(view, distinctSubnets);
  return selector.path(target, anyGuard(selector), avoid);
}

function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

/** Relays that break every rule now and then. */
const sketches: fc.Arbitrary<RelaySketch[]> = fc
  .array(
    fc.record({
      // Mostly good, so that paths exist, with single flaws.
      missing: rarely(fc.constantFrom<RelayFlag>("Fast", "Stable", "Valid", "V2Dir")),
      bad: rarely(fc.constantFrom<RelayFlag>("BadExit", "MiddleOnly", "NoEdConsensus")),
      guard: fc.boolean(),
      exit: fc.boolean(),
      ports: fc.subarray([22, 80, 443]),
      ports6: fc.subarray([443]),
      bandwidth: fc.nat(1000),
      subnet: fc.nat(15),
      subnet6: rarely(fc.nat(3)),
      family: fc.array(fc.nat(23), { maxLength: 6 }),
      familyId: rarely(fc.constantFrom("ed25519:a", "ed25519:b", "ed25519:c")),
    }),
    { minLength: 6, maxLength: 24, size: "max" },
  )
  .map((list) =>
    list.map((one, id) => {
      const flags = new Set<RelayFlag>(["Fast", "Stable", "Valid", "V2Dir", "Running"]);
      if (one.guard) flags.add("Guard");
      if (one.exit) flags.add("Exit");
      if (one.missing !== undefined) flags.delete(one.missing);
      if (one.bad !== undefined) flags.add(one.bad);
      return {
        id,
        flags: [...flags],
        bandwidth: one.bandwidth,
        ports: one.exit ? one.ports : [],
        ports6: one.exit ? one.ports6 : [],
        addresses: [
          `10.${one.subnet}.0.${id + 1}:9001`,
          ...(one.subnet6 === undefined ? [] : [`[2001:${one.subnet6}::${id + 1}]:9001`]),
        ],
        family: one.family.map(familyName),
        familyIds: one.familyId === undefined ? [] : [one.familyId],
      };
    }),
  );

const targets: fc.Arbitrary<ExitTarget> = fc.record({
  port: fc.constantFrom(22, 80, 443),
  family: fc.constantFrom<4 | 6>(4, 6),
});

/** The rules again, written down as in path-spec 2.2 and without the code under test. */
function expectLawful(path: Path, target: ExitTarget, distinctSubnets: boolean): void {
  const hops = [path.guard, path.middle, path.exit];
  expect(new Set(hops.map((hop) => toHex(hop.rsaId))).size).toBe(3);
  for (const { flags } of hops) {
    expect(flags.has("Valid") && flags.has("Fast")).toBe(true);
    expect(flags.has("NoEdConsensus")).toBe(false);
    if (target.port === 22) expect(flags.has("Stable")).toBe(true);
  }
  expect(path.guard.flags.has("Guard") && !path.guard.flags.has("MiddleOnly")).toBe(true);
  expect(path.guard.flags.has("Stable") && path.guard.flags.has("V2Dir")).toBe(true);
  expect(path.exit.flags.has("BadExit") || path.exit.flags.has("MiddleOnly")).toBe(false);
  const policy = target.family === 4 ? path.exit.exitPolicy : path.exit.exitPolicyIpv6;
  expect(policy.allows(target.port)).toBe(true);
  for (const a of hops) {
    for (const b of hops) {
      if (a === b) continue;
      expect([...a.familyIds].some((id) => b.familyIds.has(id))).toBe(false);
      const lists = (x: Relay, y: Relay) => x.family.has(`$${toHex(y.rsaId).toUpperCase()}`);
      expect(lists(a, b) && lists(b, a)).toBe(false);
      if (distinctSubnets) expect(subnets(a).filter((one) => subnets(b).includes(one))).toEqual([]);
    }
  }
}

function subnets(one: Relay): string[] {
  return one.addresses.map(
    ({ family, address }) => `${family}:${toHex(address.subarray(0, family === 4 ? 2 : 4))}`,
  );
}

describe("every path", () => {
  it("keeps all rules, or is refused with no-path", async () => {
    let built = 0;
    await fc.assert(
      fc.asyncProperty(sketches, targets, fc.boolean(), async (list, target, distinctSubnets) => {
        try {
          const path = await pathOf(netdir(list.map(relay)), target, NONE, distinctSubnets);
          built++;
          expectLawful(path, target, distinctSubnets);
        } catch (error) {
          if (!isTorError(error)) throw error;
          expect(error.kind).toBe("no-path");
        }
      }),
      { numRuns: 300 },
    );
    // The property says something only if many paths were built.
    expect(built).toBeGreaterThan(100);
  });

  it("finds the only lawful exit even when others are likelier and block it", async () => {
    const relays = [
      guardRelay(1, { family: [familyName(3)] }),
      exitRelay(3, { family: [familyName(1)], bandwidth: 10 ** 9 }),
      exitRelay(4, { bandwidth: 1 }),
      relay({ id: 5 }),
    ];
    const { exit } = await pathOf(netdir(relays));
    expect(exit.nickname).toBe("Relay4");
  });
});

describe("the exit", () => {
  const others = [guardRelay(1), relay({ id: 2 })];

  it("is not one that failed before", async () => {
    const first = exitRelay(3);
    const view = netdir([...others, first, exitRelay(4)]);
    const { exit } = await pathOf(view, WEB, new Set([toHex(first.rsaId)]));
    expect(exit.nickname).toBe("Relay4");
  });

  it("needs an IPv6 policy for an IPv6 address", async () => {
    const view = netdir([...others, exitRelay(3), exitRelay(4, { ports6: [443] })]);
    expect((await pathOf(view, { port: 443, family: 6 })).exit.nickname).toBe("Relay4");
  });

  it("needs no Exit flag when its policy allows the port", async () => {
    const odd = relay({ id: 3, ports: [6667] });
    expect((await pathOf(netdir([...others, odd]), { port: 6667, family: 4 })).exit).toBe(odd);
  });

  it.each<[string, Relay, string]>([
    ["BadExit", exitRelay(3, { flags: ["Valid", "Fast", "Exit", "BadExit"] }), "an exit policy for port 443"],
    [
      "MiddleOnly",
      exitRelay(3, { flags: ["Valid", "Fast", "Exit", "MiddleOnly"] }),
      "an exit policy for port 443",
    ],
    ["not Valid", exitRelay(3, { flags: ["Fast", "Exit"] }), "an exit policy for port 443"],
    ["not Fast", exitRelay(3, { flags: ["Valid", "Exit"] }), "an exit policy for port 443"],
    ["for other ports", exitRelay(3, { ports: [80] }), "an exit policy for port 443"],
  ])("that is %s is refused, and the error names the constraint", async (_, exit, constraint) => {
    const attempt = pathOf(netdir([...others, exit]));
    await expect(attempt).rejects.toMatchObject({ kind: "no-path", code: "ALLIUM_E_NO_RELAY" });
    await expect(attempt).rejects.toThrow(constraint);
  });
});

describe("families", () => {
  const guard = (sketch: Partial<RelaySketch>) => guardRelay(1, sketch);
  const exit = (sketch: Partial<RelaySketch>) => exitRelay(3, sketch);
  const build = (a: Relay, b: Relay, params = {}) => pathOf(netdir([a, b, relay({ id: 2 })], { params }));

  it("count only when each relay lists the other", async () => {
    await build(guard({ family: [familyName(3)] }), exit({}));
    await build(guard({}), exit({ family: [familyName(1)] }));
    const both = build(guard({ family: [familyName(3)] }), exit({ family: [familyName(1)] }));
    await expect(both).rejects.toMatchObject({ kind: "no-path" });
  });

  it("may be declared by nickname", async () => {
    const both = build(guard({ family: ["relay3"] }), exit({ family: ["relay1"] }));
    await expect(both).rejects.toMatchObject({ kind: "no-path" });
  });

  it("are shared family ids too", async () => {
    const both = build(guard({ familyIds: ["ed25519:x"] }), exit({ familyIds: ["ed25519:y", "ed25519:x"] }));
    await expect(both).rejects.toMatchObject({ kind: "no-path" });
  });

  it("are switched by use-family-lists and use-family-ids", async () => {
    const lists: [Relay, Relay] = [guard({ family: [familyName(3)] }), exit({ family: [familyName(1)] })];
    await build(...lists, { "use-family-lists": 0 });
    await expect(build(...lists, { "use-family-ids": 0 })).rejects.toMatchObject({ kind: "no-path" });
    const ids: [Relay, Relay] = [guard({ familyIds: ["ed25519:x"] }), exit({ familyIds: ["ed25519:x"] })];
    await build(...ids, { "use-family-ids": 0 });
    await expect(build(...ids, { "use-family-lists": 0 })).rejects.toMatchObject({ kind: "no-path" });
  });
});

describe("subnets", () => {
  const build = (a: string[], b: string[], distinctSubnets = true) =>
    pathOf(
      netdir([guardRelay(1, { addresses: a }), exitRelay(3, { addresses: b }), relay({ id: 2 })]),
      WEB,
      NONE,
      distinctSubnets,
    );

  it("are /16 of IPv4 and /32 of IPv6, over all addresses", async () => {
    await build(["198.51.1.1:1"], ["198.52.1.1:1"]);
    await build(["198.51.1.1:1", "[2001:db8:1::1]:1"], ["198.52.1.1:1", "[2001:db9:1::1]:1"]);
    await expect(build(["198.51.1.1:1"], ["198.51.200.9:1"])).rejects.toMatchObject({ kind: "no-path" });
    const v6 = build(["198.51.1.1:1", "[2001:db8:1::1]:1"], ["198.52.1.1:1", "[2001:db8:ffff::1]:1"]);
    await expect(v6).rejects.toMatchObject({ kind: "no-path" });
  });

  it("do not count on a private network", async () => {
    await build(["127.0.0.1:1"], ["127.0.0.1:2"], false);
  });
});

describe("a directory cache", () => {
  it("has V2Dir and is not one that was asked before", () => {
    const asked = relay({ id: 1 });
    const view = netdir([asked, relay({ id: 2 }), relay({ id: 3, flags: ["Valid", "Fast"] })]);
    const selector = new PathSelector(view, true);
    expect(selector.directoryCache(new Set([toHex(asked.rsaId)])).nickname).toBe("Relay2");
  });
});
