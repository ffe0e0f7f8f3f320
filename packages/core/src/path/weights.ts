// Bandwidth-weighted choice of relays with the consensus's weights (path-spec 2.2, dir-spec 3.8.3, param-spec "bwweightscale").
// Not here: which relays are candidates at all.

import { randomInt, randomUnit } from "../base/random.ts";
import type { NetDir, Relay } from "../directory/api.ts";

/** What a relay is chosen for. */
export type Position = "guard" | "middle" | "exit" | "dir";

/** param-spec: default and bounds of "bwweightscale". */
const WEIGHT_SCALE = 10_000;

/** Names of the weights of [neither, Guard, Exit, Guard and Exit] relays; an Exit without Guard is never a guard. */
const POSITION_WEIGHTS: Record<Position, readonly (string | 0)[]> = {
  guard: ["Wgm", "Wgg", 0, "Wgd"],
  middle: ["Wmm", "Wmg", "Wme", "Wmd"],
  exit: ["Wem", "Weg", "Wee", "Wed"],
  dir: ["Wbm", "Wbg", "Wbe", "Wbd"],
};

/** Factors of relays that serve directory requests (V2Dir), in the same order; they apply to all positions but "dir". */
const V2DIR_WEIGHTS = ["Wmb", "Wgb", "Web", "Wdb"];

const GUARD = 1;
const EXIT = 2;
const V2DIR = 4;

/** The weights of one consensus. */
export class RelayWeights {
  readonly #netdir: NetDir;
  readonly #factors: Record<Position, readonly number[]>;
  readonly #bandwidth: (relay: Relay) => number;

  constructor(netdir: NetDir) {
    this.#netdir = netdir;
    this.#factors = {
      guard: this.#positionFactors("guard"),
      middle: this.#positionFactors("middle"),
      exit: this.#positionFactors("exit"),
      dir: this.#positionFactors("dir"),
    };
    this.#bandwidth = bandwidthRule(netdir.relays);
  }

  /** How likely a relay is to be chosen, in proportion; 0 or more, no unit. */
  weight(relay: Relay, position: Position): number {
    const isExit = relay.flags.has("Exit") && !relay.flags.has("BadExit");
    const kind =
      (relay.flags.has("Guard") ? GUARD : 0) | (isExit ? EXIT : 0) | (relay.flags.has("V2Dir") ? V2DIR : 0);
    return this.#bandwidth(relay) * (this.#factors[position][kind] ?? 0);
  }

  /** One of `relays` by weight; uniformly when all weights are zero, as on a test network; undefined when empty. */
  choose(relays: readonly Relay[], position: Position): Relay | undefined {
    if (relays.length === 0) return undefined;
    let total = 0;
    const upTo = relays.map((relay) => {
      total += this.weight(relay, position);
      return total;
    });
    if (total === 0) return relays[randomInt(relays.length)];
    // 53 random bits: no relay's share is off by more than 2^-53.
    const at = randomUnit() * total;
    return relays[firstAbove(upTo, at)];
  }

  /** Factors by kind (Guard 1 + Exit 2 + V2Dir 4), each in [0, 1]. */
  #positionFactors(position: Position): number[] {
    const names = POSITION_WEIGHTS[position];
    const base = names.map((name) => (name === 0 ? 0 : this.#consensusWeight(name)));
    const dir = V2DIR_WEIGHTS.map((name) => (position === "dir" ? 1 : this.#consensusWeight(name)));
    // path-spec 2.2: a consensus that lacks one of them is used without any.
    if ([...base, ...dir].includes(undefined)) return new Array<number>(8).fill(1);
    return [...base, ...base.map((factor, kind) => (factor ?? 0) * (dir[kind] ?? 0))].map((n) => n ?? 0);
  }

  #consensusWeight(name: string): number | undefined {
    const scale = this.#netdir.param("bwweightscale", WEIGHT_SCALE, 1, 2 ** 31 - 1);
    const weight = this.#netdir.bandwidthWeights.get(name);
    return weight === undefined || weight < 0 || weight > scale ? undefined : weight / scale;
  }
}

/** dir-spec 3.4.1 "w": an unmeasured relay counts nothing once others are measured; all zero means all equal. */
function bandwidthRule(relays: readonly Relay[]): (relay: Relay) => number {
  const anyMeasured = relays.some((relay) => !relay.unmeasured);
  const rule = (relay: Relay) => (anyMeasured && relay.unmeasured ? 0 : relay.bandwidth);
  return relays.some((relay) => rule(relay) > 0) ? rule : () => 1;
}

/** Index of the first running total above `at`: a relay of weight zero has no total of its own and is never it. */
function firstAbove(upTo: readonly number[], at: number): number {
  let low = 0;
  let high = upTo.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((upTo[middle] ?? 0) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
