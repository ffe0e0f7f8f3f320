// The rules of path-spec 2.2 written down again, without the code under test; and networks that break them now and then.

import fc from "fast-check";
import { toHex } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import type { ListedRelay, NetDir, Relay, RelayFlag } from "../../src/directory/api.ts";
import type { ExitTarget, GuardSource, PathSelector } from "../../src/path/select.ts";
import { familyName, LIVE_WEIGHTS, type RelaySketch } from "./synthetic.ts";

/** Which of the rules hold in a network. */
export interface Rules {
  readonly distinctSubnets: boolean;
  readonly lists: boolean;
  readonly ids: boolean;
}

export const ALL_RULES: Rules = { distinctSubnets: true, lists: true, ids: true };

/** Ports of the generated requests; the first is one whose connections stay open for long. */
export const PORTS = [22, 80, 443];

export const targets: fc.Arbitrary<ExitTarget> = fc.record({
  port: fc.constantFrom(...PORTS),
  family: fc.constantFrom<4 | 6>(4, 6),
});

export const rules: fc.Arbitrary<Rules> = fc.record({
  distinctSubnets: fc.boolean(),
  lists: fc.boolean(),
  ids: fc.boolean(),
});

function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

const one = fc.record({
  // Mostly good, so that paths exist, with single flaws.
  missing: rarely(fc.constantFrom<RelayFlag>("Fast", "Stable", "Valid", "V2Dir")),
  bad: rarely(fc.constantFrom<RelayFlag>("BadExit", "MiddleOnly", "NoEdConsensus")),
  guard: fc.boolean(),
  exit: fc.boolean(),
  ports: fc.subarray(PORTS),
  ports6: fc.subarray(PORTS),
  bandwidth: fc.nat(1000),
  unmeasured: rarely(fc.constant(true)),
  subnet: fc.nat(15),
  other: rarely(fc.nat(15)),
  subnet6: rarely(fc.nat(3)),
  family: fc.array(fc.nat(23), { maxLength: 6 }),
  byNickname: fc.boolean(),
  familyIds: fc.subarray(["ed25519:a", "ed25519:b", "ed25519:c", "ed25519:d"], { maxLength: 1 }),
});

/** Networks of 3 to 24 relays. */
export const sketches: fc.Arbitrary<RelaySketch[]> = fc
  .array(one, { minLength: 3, maxLength: 24, size: "max" })
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
        unmeasured: one.unmeasured ?? false,
        ports: one.exit ? one.ports : [],
        ports6: one.exit ? one.ports6 : [],
        addresses: [
          `10.${one.subnet}.0.${id + 1}:9001`,
          ...(one.other === undefined ? [] : [`10.${one.other}.1.${id + 1}:9001`]),
          ...(one.subnet6 === undefined ? [] : [`[2001:${one.subnet6}::${id + 1}]:9001`]),
        ],
        family: one.family.map((other) => (one.byNickname ? `relay${other}` : familyName(other))),
        familyIds: one.familyIds,
      };
    }),
  );

/** What any hop must be. */
function isGood({ flags }: Relay, target: ExitTarget): boolean {
  const isStable = target.port !== 22 || flags.has("Stable");
  return flags.has("Valid") && flags.has("Fast") && !flags.has("NoEdConsensus") && isStable;
}

export function mayBeGuard(relay: Relay): boolean {
  const has = (flag: RelayFlag) => relay.flags.has(flag);
  const good = has("Guard") && has("Valid") && has("Fast") && has("Stable") && has("V2Dir");
  return good && !has("NoEdConsensus") && !has("MiddleOnly");
}

export function mayBeMiddle(relay: Relay, target: ExitTarget): boolean {
  return isGood(relay, target);
}

export function mayBeExit(relay: Relay, target: ExitTarget): boolean {
  const policy = target.family === 4 ? relay.exitPolicy : relay.exitPolicyIpv6;
  const isBad = relay.flags.has("BadExit") || relay.flags.has("MiddleOnly");
  return isGood(relay, target) && !isBad && policy.allows(target.port);
}

/** Whether two relays may be in one path. */
export function areApart(a: Relay, b: Relay, { distinctSubnets, lists, ids }: Rules): boolean {
  if (toHex(a.rsaId) === toHex(b.rsaId)) return false;
  if (ids && [...a.familyIds].some((id) => b.familyIds.has(id))) return false;
  if (lists && declares(a, b) && declares(b, a)) return false;
  return !distinctSubnets || !subnets(a).some((subnet) => subnets(b).includes(subnet));
}

function declares(relay: Relay, other: Relay): boolean {
  const fingerprint = `$${toHex(other.rsaId).toUpperCase()}`;
  return relay.family.has(fingerprint) || relay.family.has(other.nickname.toLowerCase());
}

function subnets({ addresses }: Relay): string[] {
  return addresses.map(
    ({ family, address }) => `${family}:${toHex(address.subarray(0, family === 4 ? 2 : 4))}`,
  );
}

/** The weight of a relay by path-spec 2.2 and dir-spec 3.8.3, with the consensus's weights of the public network. */
export function lawfulWeight(relay: Relay, position: "g" | "m" | "e" | "b"): number {
  const isExit = relay.flags.has("Exit") && !relay.flags.has("BadExit");
  const isGuard = relay.flags.has("Guard");
  const kind = isExit && isGuard ? "d" : isExit ? "e" : isGuard ? "g" : "m";
  // All weights of directory caches are 1 in that consensus.
  return (relay.unmeasured ? 0 : relay.bandwidth) * (LIVE_WEIGHTS[`W${position}${kind}`] ?? 0);
}

/** Guards by weight without any memory. */
export function anyGuard(selector: PathSelector): GuardSource {
  const described = new Set<ListedRelay>(selector.netdir.relays);
  return fromChoice((_, allowed) => {
    const guard = selector.sampleGuard((one) => described.has(one) && allowed(one as Relay));
    return guard as Relay | undefined;
  });
}

/** One guard for ever. */
export function onlyGuard(guard: Relay): GuardSource {
  return fromChoice((_, allowed) => (allowed(guard) ? guard : undefined));
}

function fromChoice(
  choose: (netdir: NetDir, allowed: (relay: Relay) => boolean) => Relay | undefined,
): GuardSource {
  return {
    async next(netdir, allowed) {
      const guard = choose(netdir, allowed);
      if (guard === undefined) throw new TorError("no-path", "ALLIUM_E_NO_GUARD", "no guard fits");
      return guard;
    },
  };
}
