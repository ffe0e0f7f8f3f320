import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import type { NetDir, Relay } from "../../src/directory/api.ts";
import { type ExitTarget, type Path, PathSelector } from "../../src/path/select.ts";
import { anyGuard } from "./path-rules.ts";
import { exitRelay, familyName, guardRelay, netdir, type RelaySketch, relay } from "./synthetic.ts";

const WEB: ExitTarget = { port: 443, family: 4 };
const NONE: ReadonlySet<string> = new Set();

function pathOf(view: NetDir, target = WEB, avoid = NONE, distinctSubnets = true): Promise<Path> {
  const selector = new PathSelector(view, distinctSubnets);
  return selector.path(target, anyGuard(selector), avoid);
}

describe("a path", () => {
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

describe("a path through a large network", () => {
  it("costs a look at a few relays, not at all of them", async () => {
    let looks = 0;
    const relays = Array.from({ length: 3000 }, (_, id) => {
      const one = id % 3 === 0 ? guardRelay(id) : id % 3 === 1 ? exitRelay(id) : relay({ id });
      const { flags } = one;
      const get = () => {
        looks++;
        return flags;
      };
      return Object.defineProperty({ ...one }, "flags", { get });
    });
    const selector = new PathSelector(netdir(relays), true);
    const build = () => selector.path(WEB, anyGuard(selector), NONE);
    await build();
    looks = 0;
    for (let i = 0; i < 100; i++) await build();
    expect(looks / 100).toBeLessThan(200);
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

  it("of IPv4 are none of IPv6", async () => {
    // 10.100 and 0:a64 are the same number.
    await build(["10.100.0.1:1"], ["10.5.0.1:1", "[0:a64::1]:1"]);
  });

  it("do not count on a private network", async () => {
    await build(["127.0.0.1:1"], ["127.0.0.1:2"], false);
  });
});

describe("two hops of a path", () => {
  const guard = guardRelay(1);

  it.each(["rsaId", "ed25519Id"] as const)("are not one relay by either identity: %s", async (id) => {
    const twin = { ...relay({ id: 2 }), [id]: guard[id] };
    await expect(pathOf(netdir([guard, twin, exitRelay(3)]))).rejects.toMatchObject({
      kind: "no-path",
      message: expect.stringContaining("not in the path already"),
    });
  });
});

describe("a directory cache", () => {
  it("has V2Dir and is not one that was asked before", () => {
    const asked = relay({ id: 1 });
    const view = netdir([asked, relay({ id: 2 }), relay({ id: 3, flags: ["Valid", "Fast"] })]);
    const selector = new PathSelector(view, true);
    expect(selector.directoryCache(new Set([toHex(asked.rsaId)])).nickname).toBe("Relay2");
  });

  it("is none that the authorities want in the middle only", () => {
    const flags = ["Fast", "Running", "Stable", "Valid", "V2Dir", "MiddleOnly"] as const;
    const selector = new PathSelector(netdir([relay({ id: 1, flags })]), true);
    expect(() => selector.directoryCache(NONE)).toThrow(
      expect.objectContaining({ kind: "no-path", message: expect.stringContaining("V2Dir") }),
    );
  });
});

describe("guards to sample", () => {
  it("are drawn among those too whose microdescriptors somebody withholds", () => {
    const shown = [guardRelay(1), guardRelay(2)];
    const withheld = [guardRelay(3), guardRelay(4), guardRelay(5), guardRelay(6), relay({ id: 7 })];
    const selector = new PathSelector(netdir(shown, { undescribed: withheld }), true);
    const drawn = new Map<string, number>();
    for (let i = 0; i < 3000; i++) {
      const name = selector.sampleGuard(() => true)?.nickname ?? "none";
      drawn.set(name, (drawn.get(name) ?? 0) + 1);
    }
    expect([...drawn.keys()].sort()).toEqual(["Relay1", "Relay2", "Relay3", "Relay4", "Relay5", "Relay6"]);
    // A third of 3000 with a deviation of 26: seven of those.
    const ofShown = (drawn.get("Relay1") ?? 0) + (drawn.get("Relay2") ?? 0);
    expect(Math.abs(ofShown - 1000)).toBeLessThan(180);
  });
});
