// Which relays make a path: exit, then guard, then middle, under the constraints of path-spec 2.2 and guard-spec 4.1.
// Not here: which guard is the client's own (guard-keeper.ts), opening anything.

import { equalBytes } from "../base/bytes.ts";
import { toHex } from "../base/encoding.ts";
import { TorError, type TorErrorCode, toTorError } from "../base/errors.ts";
import type { ListedRelay, NetDir, Relay } from "../directory/api.ts";
import { type FamilyRules, familyOf, familyRules } from "./families.ts";
import { type ExitCountries, exitsIn } from "./geo.ts";
import { isListedGuard } from "./guards/guard.ts";
import { subnetOf } from "./subnets.ts";
import { type Candidates, type Position, RelayWeights } from "./weights.ts";

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

type Constraint = readonly [name: string, test: (relay: Relay) => boolean, code?: TorErrorCode];

const VALID: Constraint = ["Valid", isUsable];
const FAST: Constraint = ["Fast", ({ flags }) => flags.has("Fast")];
const STABLE: Constraint = ["Stable", ({ flags }) => flags.has("Stable")];

export function needsStable(target: ExitTarget): boolean {
  return LONG_LIVED_PORTS.has(target.port);
}

/** Whether the relay's exit policy lets streams to `target` out. A BadExit lets nothing out (dir-spec 3.8.2). */
export function exitAllows(relay: Relay, target: ExitTarget): boolean {
  if (relay.flags.has("BadExit") || relay.flags.has("MiddleOnly")) return false;
  return (target.family === 4 ? relay.exitPolicy : relay.exitPolicyIpv6).allows(target.port);
}

/** Valid, and with an Ed25519 identity that the authorities agree on; Running is implied. */
function isUsable(relay: Relay): boolean {
  return relay.flags.has("Valid") && !relay.flags.has("NoEdConsensus");
}

/** Whether its policies let any stream out. The Exit flag only weighs: as in C tor, the policy makes the exit. */
export function isExit({ exitPolicy, exitPolicyIpv6 }: Relay): boolean {
  return !(exitPolicy.rejectsAll && exitPolicyIpv6.rejectsAll);
}

export interface SelectorOptions {
  /** Where paths should end; anywhere unless told otherwise. */
  readonly exits?: ExitCountries | undefined;
  /** A path had to end in none of the wanted countries; `error` says why. */
  readonly onElsewhere?: ((error: TorError) => void) | undefined;
}

/** Chooses relays from one view of the network. */
export class PathSelector {
  readonly netdir: NetDir;
  readonly #weights: RelayWeights;
  readonly #families: FamilyRules;
  readonly #distinctSubnets: boolean;
  readonly #options: SelectorOptions;
  /** By what they are candidates for. */
  readonly #candidates = new Map<string, Candidates<Relay>>();
  #guards: Candidates<ListedRelay> | undefined;

  /** @param distinctSubnets false only on private networks, whose relays may share one subnet */
  constructor(netdir: NetDir, distinctSubnets: boolean, options: SelectorOptions = {}) {
    this.netdir = netdir;
    this.#weights = new RelayWeights(netdir);
    this.#families = familyRules(netdir);
    this.#distinctSubnets = distinctSubnets;
    this.#options = options;
  }

  /**
   * A path to `target`.
   * @param avoidExits RSA identities (hex) of exits that already failed this request
   * @throws TorError `no-path`, saying which constraint left no relay
   */
  async path(target: ExitTarget, guards: GuardSource, avoidExits: ReadonlySet<string>): Promise<Path> {
    const { exits, onElsewhere } = this.#options;
    if (exits === undefined) return this.#pathIn(undefined, target, guards, avoidExits);
    try {
      return await this.#pathIn(exits, target, guards, avoidExits);
    } catch (thrown) {
      const error = toTorError(thrown);
      if (error.kind !== "no-path" || exits.strict) throw error;
      const path = await this.#pathIn(undefined, target, guards, avoidExits);
      onElsewhere?.(error);
      return path;
    }
  }

  /** Whether streams to `target` may use a circuit along this path, which was chosen for another target. */
  serves({ exit, stable }: Path, target: ExitTarget): boolean {
    const needStable = needsStable(target);
    if (!exitAllows(exit, target) || (needStable && !stable)) return false;
    const { exits } = this.#options;
    if (exits === undefined || exitsIn(exit, target.family, exits)) return true;
    const constraints = exitConstraints(target, needStable, new Set());
    return !exits.strict && this.#findExit(constraints, target, exits) === undefined;
  }

  /** A directory cache for a one-hop circuit, where no guard may be asked. @throws TorError `no-path` */
  directoryCache(exclude: ReadonlySet<string>): Relay {
    const constraints: Constraint[] = [
      VALID,
      ["V2Dir", ({ flags }) => flags.has("V2Dir") && !flags.has("MiddleOnly")],
      ["not asked before", (relay) => !exclude.has(toHex(relay.rsaId))],
    ];
    const cache = this.#candidatesFor("dir").choose(meets(constraints));
    if (cache === undefined) throw this.#noRelay("directory cache", constraints);
    return cache;
  }

  /**
   * A relay to sample as guard, be its microdescriptor at hand or not: who withholds those of some guards must not thereby
   * decide which ones are sampled. @returns undefined when none is left
   */
  sampleGuard(allowed: (relay: ListedRelay) => boolean): ListedRelay | undefined {
    const { relays, undescribed } = this.netdir;
    this.#guards ??= this.#weights.candidates([...relays, ...undescribed].filter(isListedGuard), "guard");
    return this.#guards.choose(allowed);
  }

  async #pathIn(
    countries: ExitCountries | undefined,
    target: ExitTarget,
    guards: GuardSource,
    avoidExits: ReadonlySet<string>,
  ): Promise<Path> {
    const stable = needsStable(target);
    const avoid = new Set(avoidExits);
    const constraints = exitConstraints(target, stable, avoid);
    let failure: TorError | undefined;
    for (let tries = 0; tries < EXIT_TRIES; tries++) {
      const exit = this.#findExit(constraints, target, countries);
      if (exit === undefined) break;
      try {
        return await this.#pathTo(exit, guards, stable);
      } catch (error) {
        failure = toTorError(error);
        if (failure.kind !== "no-path") throw failure;
        avoid.add(toHex(exit.rsaId));
      }
    }
    // When no exit is left, the reason why those before it would not do says more than their lack.
    if (failure !== undefined) throw failure;
    const inCountry = countries === undefined ? [] : [countryConstraint(target, countries)];
    throw this.#noRelay("exit", [...constraints, ...inCountry]);
  }

  #findExit(
    constraints: readonly Constraint[],
    { family }: ExitTarget,
    countries: ExitCountries | undefined,
  ): Relay | undefined {
    const candidates =
      countries === undefined
        ? this.#candidatesFor("exit", isExit)
        : this.#candidatesFor(
            "exit",
            (relay) => isExit(relay) && exitsIn(relay, family, countries),
            ` by country over IPv${family}`,
          );
    return candidates.choose(meets(constraints));
  }

  async #pathTo(exit: Relay, guards: GuardSource, stable: boolean): Promise<Path> {
    const besideExit = meets(this.#apartFrom([exit]));
    const guard = await guards.next(this.netdir, besideExit);
    const middle = this.#middle([exit, guard], stable);
    // Guards are always Stable.
    const { netdir } = this;
    return { netdir, guard, middle, exit, stable: middle.flags.has("Stable") && exit.flags.has("Stable") };
  }

  #middle(others: readonly Relay[], stable: boolean): Relay {
    const constraints = [VALID, FAST, ...(stable ? [STABLE] : []), ...this.#apartFrom(others)];
    const middle = this.#candidatesFor("middle").choose(meets(constraints));
    if (middle === undefined) throw this.#noRelay("middle", constraints);
    return middle;
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

  /** Kept, since making them reads all relays: only what most relays are not is sorted out before the choice. */
  #candidatesFor(position: Position, mayBe?: (relay: Relay) => boolean, where = ""): Candidates<Relay> {
    const name = position + where;
    const known = this.#candidates.get(name);
    if (known !== undefined) return known;
    const { relays } = this.netdir;
    const candidates = this.#weights.candidates(
      mayBe === undefined ? relays : relays.filter(mayBe),
      position,
    );
    this.#candidates.set(name, candidates);
    return candidates;
  }

  /** Says which constraint left none. */
  #noRelay(what: string, constraints: readonly Constraint[]): TorError {
    let left = this.netdir.relays;
    let before = 0;
    let unmet: Constraint = ["listed", () => true];
    for (const constraint of constraints) {
      if (left.length === 0) break;
      before = left.length;
      unmet = constraint;
      left = left.filter(constraint[1]);
    }
    const [name, , code = "ALLIUM_E_NO_RELAY"] = unmet;
    return new TorError("no-path", code, `no ${what}: none of ${before} relays meets "${name}"`);
  }
}

function exitConstraints(target: ExitTarget, stable: boolean, avoid: ReadonlySet<string>): Constraint[] {
  const { port, family } = target;
  return [
    VALID,
    FAST,
    ...(stable ? [STABLE] : []),
    [`an exit policy for port ${port} over IPv${family}`, (relay) => exitAllows(relay, target)],
    ["not failed before", (relay) => avoid.size === 0 || !avoid.has(toHex(relay.rsaId))],
  ];
}

function countryConstraint({ family }: ExitTarget, countries: ExitCountries): Constraint {
  const name = `in ${[...countries.countries].join(" or ")}`;
  return [name, (relay) => exitsIn(relay, family, countries), "ALLIUM_E_NO_EXIT_IN_COUNTRY"];
}

function meets(constraints: readonly Constraint[]): (relay: Relay) => boolean {
  return (relay) => constraints.every(([, test]) => test(relay));
}

function isSame(a: Relay, b: Relay): boolean {
  return equalBytes(a.rsaId, b.rsaId) || equalBytes(a.ed25519Id, b.ed25519Id);
}
