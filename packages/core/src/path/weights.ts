// Bandwidth-weighted choice of relays with the consensus's weights (path-spec 2.2, dir-spec 3.8.3, param-spec "bwweightscale").
// Not here: which relays are candidates at all.

import { randomInt, randomUnit } from "../base/random.ts";
import type { ListedRelay, NetDir, Relay } from "../directory/api.ts";

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
  readonly #bandwidth: (relay: ListedRelay) => number;

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
  weight(relay: ListedRelay, position: Position): number {
    const isExit = relay.flags.has("Exit") && !relay.flags.has("BadExit");
    const kind =
      (relay.flags.has("Guard") ? GUARD : 0) | (isExit ? EXIT : 0) | (relay.flags.has("V2Dir") ? V2DIR : 0);
    return this.#bandwidth(relay) * (this.#factors[position][kind] ?? 0);
  }

  /** The relays of `relays` to be chosen from again and again. */
  candidates<T extends ListedRelay>(relays: readonly T[], position: Position): Candidates<T> {
    return new Candidates(
      relays,
      relays.map((relay) => this.weight(relay, position)),
    );
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
function bandwidthRule(relays: readonly Relay[]): (relay: ListedRelay) => number {
  const anyMeasured = relays.some((relay) => !relay.unmeasured);
  const rule = (relay: ListedRelay) => (anyMeasured && relay.unmeasured ? 0 : relay.bandwidth);
  return relays.some((relay) => rule(relay) > 0) ? rule : () => 1;
}

/**
 * Draws before all candidates are looked at: a path rules out few of them, and where it rules out most, these draws cost
 * less than the look does.
 */
const DRAWS = 32;

/** Relays with the weights of one position, added up once. */
export class Candidates<T> {
  readonly #relays: readonly T[];
  readonly #weights: readonly number[];
  /** Running totals of the weights. */
  readonly #upTo: Float64Array;

  /** @param weights of the same relays, 0 or more */
  constructor(relays: readonly T[], weights: readonly number[]) {
    this.#relays = relays;
    this.#weights = weights;
    let total = 0;
    this.#upTo = Float64Array.from(weights, (weight) => {
      total += weight;
      return total;
    });
  }

  /**
   * One of those that are allowed, by weight; uniformly when all of them weigh nothing, as on a test network; undefined
   * when there is none.
   */
  choose(allowed: (relay: T) => boolean): T | undefined {
    // A draw that is thrown away says nothing about the next: each relay that is allowed keeps its share exactly.
    for (let draws = 0; draws < DRAWS; draws++) {
      const drawn = this.#draw();
      if (drawn === undefined || allowed(drawn)) return drawn;
    }
    return this.#only(allowed).#draw();
  }

  #only(allowed: (relay: T) => boolean): Candidates<T> {
    const relays: T[] = [];
    const weights: number[] = [];
    for (const [i, relay] of this.#relays.entries()) {
      if (!allowed(relay)) continue;
      relays.push(relay);
      weights.push(this.#weights[i] ?? 0);
    }
    return new Candidates(relays, weights);
  }

  #draw(): T | undefined {
    const { length } = this.#relays;
    if (length === 0) return undefined;
    const total = this.#upTo[length - 1] ?? 0;
    if (total === 0) return this.#relays[randomInt(length)];
    // 53 random bits: no relay's share is off by more than 2^-53.
    return this.#relays[firstAbove(this.#upTo, randomUnit() * total)];
  }
}

/** Index of the first running total above `at`: a relay of weight zero has no total of its own and is never it. */
function firstAbove(upTo: Float64Array, at: number): number {
  let low = 0;
  let high = upTo.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((upTo[middle] ?? 0) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
