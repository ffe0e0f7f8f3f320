// Which relays make a path: exit, then guard, then middle, under the constraints of path-spec 2.2 and guard-spec 4.1.
// Not here: which guard is the client's own (guards.ts), opening anything.

import { equalBytes } from "../base/bytes.ts";
import { toHex } from "../base/encoding.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { NetDir, Relay } from "../directory/api.ts";
import { type FamilyRules, familyOf, familyRules } from "./families.ts";
import { subnetOf } from "./subnets.ts";
import { type Position, RelayWeights } from "./weights.ts";

/** path-spec 2.2 and C tor's LongLivedPorts: connections to these stay open for long, so all hops must be Stable. */
const LONG_LIVED_PORTS: ReadonlySet<number> = new Set([
  21, 22, 706, 1863, 5050, 5190, 5222, 5223, 6523, 6667, 6697, 8300,
]);

/** Exits tried for one path: the first may be of one family with all guards, or leave no middle on a small network. */
const EXIT_TRIES = 5;

/** What an exit must reach. A host name counts as IPv4, as most of them are and as C tor assumes. */
export interface ExitTarget {
  readonly port: number;
  readonly family: 4 | 6;
}

/** A three-hop path, in the order of the circuit. */
export interface Path {
  /** The view of the network that it was chosen from. */
  readonly netdir: NetDir;
  readonly guard: Relay;
  readonly middle: Relay;
  readonly exit: Relay;
  /** Whether all hops are Stable, so that long-lived connections may use it. */
  readonly stable: boolean;
}

/** Gives the guard of a path; `allowed` says which ones fit the rest of it. */
export interface GuardSource {
  next(netdir: NetDir, allowed: (relay: Relay) => boolean): Promise<Relay>;
}

type Constraint = readonly [name: string, test: (relay: Relay) => boolean];

export function needsStable(target: ExitTarget): boolean {
  return LONG_LIVED_PORTS.has(target.port);
}

/** Whether the relay's exit policy lets streams to `target` out. A BadExit lets nothing out (dir-spec 3.8.2). */
export function exitAllows(relay: Relay, target: ExitTarget): boolean {
  if (relay.flags.has("BadExit") || relay.flags.has("MiddleOnly")) return false;
  return (target.family === 4 ? relay.exitPolicy : relay.exitPolicyIpv6).allows(target.port);
}

/** guard-spec 4.1: what a relay must be to be sampled as a guard. */
export function isPossibleGuard(relay: Relay): boolean {
  const { flags } = relay;
  return (
    isUsable(relay) &&
    ["Guard", "Fast", "Stable", "V2Dir"].every((flag) => (flags as ReadonlySet<string>).has(flag)) &&
    !flags.has("MiddleOnly")
  );
}

/** Valid, and with an Ed25519 identity that the authorities agree on; Running is implied. */
function isUsable(relay: Relay): boolean {
  return relay.flags.has("Valid") && !relay.flags.has("NoEdConsensus");
}

/** Chooses relays from one view of the network. */
export class PathSelector {
  readonly netdir: NetDir;
  readonly #weights: RelayWeights;
  readonly #families: FamilyRules;
  readonly #distinctSubnets: boolean;

  /** @param distinctSubnets false only on private networks, whose relays may share one subnet */
  constructor(netdir: NetDir, distinctSubnets: boolean) {
    this.netdir = netdir;
    this.#weights = new RelayWeights(netdir);
    this.#families = familyRules(netdir);
    this.#distinctSubnets = distinctSubnets;
  }

  /**
   * A path to `target`.
   * @param avoidExits RSA identities (hex) of exits that already failed this request
   * @throws TorError `no-path`, saying which constraint left no relay
   */
  async path(target: ExitTarget, guards: GuardSource, avoidExits: ReadonlySet<string>): Promise<Path> {
    const stable = needsStable(target);
    const avoid = new Set(avoidExits);
    let failure: TorError | undefined;
    for (let tries = 0; tries < EXIT_TRIES; tries++) {
      const exit = this.#exitUnless(failure, target, stable, avoid);
      try {
        return await this.#pathTo(exit, guards, stable);
      } catch (error) {
        failure = toTorError(error);
        if (failure.kind !== "no-path") throw failure;
        avoid.add(toHex(exit.rsaId));
      }
    }
    throw failure;
  }

  /** An exit; when none is left, the reason why those before it would not do says more than their lack. */
  #exitUnless(failure: TorError | undefined, target: ExitTarget, stable: boolean, avoid: Set<string>): Relay {
    try {
      return this.#exit(target, stable, avoid);
    } catch (error) {
      throw failure ?? error;
    }
  }

  async #pathTo(exit: Relay, guards: GuardSource, stable: boolean): Promise<Path> {
    const besideExit = this.#apartFrom([exit]);
    const guard = await guards.next(this.netdir, (relay) =>
      besideExit.every(([, allowed]) => allowed(relay)),
    );
    const middle = this.#middle([exit, guard], stable);
    // Guards are always Stable.
    const { netdir } = this;
    return { netdir, guard, middle, exit, stable: middle.flags.has("Stable") && exit.flags.has("Stable") };
  }

  /** A directory cache for a one-hop circuit, where no guard may be asked. @throws TorError `no-path` */
  directoryCache(exclude: ReadonlySet<string>): Relay {
    return this.#choose("dir", "directory cache", [
      ["V2Dir", (relay) => relay.flags.has("V2Dir") && !relay.flags.has("MiddleOnly")],
      ["not asked before", (relay) => !exclude.has(toHex(relay.rsaId))],
    ]);
  }

  /** A relay to sample as guard. @returns undefined when none is left */
  sampleGuard(allowed: (relay: Relay) => boolean): Relay | undefined {
    const candidates = this.netdir.relays.filter((relay) => isPossibleGuard(relay) && allowed(relay));
    return this.#weights.choose(candidates, "guard");
  }

  /** The Exit flag only weighs: as in C tor, the policy decides which relays are exits. */
  #exit(target: ExitTarget, stable: boolean, avoid: ReadonlySet<string>): Relay {
    return this.#choose("exit", "exit", [
      ["Fast", (relay) => relay.flags.has("Fast")],
      ...stableIf(stable),
      [
        `an exit policy for port ${target.port} over IPv${target.family}`,
        (relay) => exitAllows(relay, target),
      ],
      ["not failed before", (relay) => avoid.size === 0 || !avoid.has(toHex(relay.rsaId))],
    ]);
  }

  #middle(others: readonly Relay[], stable: boolean): Relay {
    return this.#choose("middle", "middle", [
      ["Fast", (relay) => relay.flags.has("Fast")],
      ...stableIf(stable),
      ...this.#apartFrom(others),
    ]);
  }

  /** The constraints between hops of one path. */
  #apartFrom(others: readonly Relay[]): Constraint[] {
    const families = others.map((relay) => familyOf(relay, this.#families));
    const subnets = this.#distinctSubnets ? others.map(subnetOf) : [];
    return [
      ["not in the path already", (relay) => !others.some((other) => isSame(relay, other))],
      ["another subnet than the other hops", (relay) => !subnets.some((sameSubnet) => sameSubnet(relay))],
      ["another family than the other hops", (relay) => !families.some((sameFamily) => sameFamily(relay))],
    ];
  }

  #choose(position: Position, what: string, constraints: readonly Constraint[]): Relay {
    const all: Constraint[] = [["Valid", isUsable], ...constraints];
    const candidates = this.netdir.relays.filter((relay) => all.every(([, test]) => test(relay)));
    const chosen = this.#weights.choose(candidates, position);
    if (chosen === undefined) throw this.#noRelay(what, all);
    return chosen;
  }

  /** Says which constraint left none. */
  #noRelay(what: string, constraints: readonly Constraint[]): TorError {
    let left = this.netdir.relays;
    let before = 0;
    let unmet = "listed";
    for (const [name, test] of constraints) {
      if (left.length === 0) break;
      before = left.length;
      unmet = name;
      left = left.filter(test);
    }
    const message = `no ${what}: none of ${before} relays meets "${unmet}"`;
    return new TorError("no-path", "ALLIUM_E_NO_RELAY", message);
  }
}

function isSame(a: Relay, b: Relay): boolean {
  return equalBytes(a.rsaId, b.rsaId) || equalBytes(a.ed25519Id, b.ed25519Id);
}

function stableIf(stable: boolean): Constraint[] {
  return stable ? [["Stable", (relay) => relay.flags.has("Stable")]] : [];
}
