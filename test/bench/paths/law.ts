// Which paths there may be on this network, and how often each is to come (path-spec 2.2, dir-spec 3.8.3, guard-spec 4): worked out
// from the consensus as C tor has it and from how the network was planned, without any of the client's own code.

import type { NodeSpec } from "../../tornet/types.ts";

export const PLACES = ["guard", "middle", "exit"] as const;
export type Place = (typeof PLACES)[number];

/** Nicknames. */
export type PathNames = Readonly<Record<Place, string>>;

/** With how likely it is, 0 to 1. */
export interface LikelyPath extends PathNames {
  readonly chance: number;
}

interface Entry {
  readonly node: NodeSpec;
  readonly flags: ReadonlySet<string>;
  /** Consensus weight; 0 when unmeasured. */
  readonly bandwidth: number;
}

type Likely = readonly [entry: Entry, chance: number];

/** guard-n-primary-guards */
const PRIMARY_GUARDS = 3;

/** The primary guards of a new sample, in its order. */
interface Sample {
  readonly guards: readonly Entry[];
  readonly chance: number;
}

/** Which of the consensus's weights count for [neither, Guard, Exit, both]; an exit without Guard is never a guard. */
const WEIGHTS: Readonly<Record<Place, readonly (string | undefined)[]>> = {
  guard: [undefined, "Wgg", undefined, "Wgd"],
  middle: ["Wmm", "Wmg", "Wme", "Wmd"],
  exit: ["Wem", "Weg", "Wee", "Wed"],
};
const V2DIR_WEIGHTS = ["Wmb", "Wgb", "Web", "Wdb"];

export class Law {
  readonly #entries: readonly Entry[];
  readonly #weights: ReadonlyMap<string, number>;
  /** guard-n-primary-guards-to-use: between how many guards circuits are spread. */
  readonly #guardsToUse: number;
  readonly #samples: readonly Sample[];

  /** @param consensus a microdescriptor consensus of a network of these nodes */
  constructor(consensus: string, nodes: readonly NodeSpec[]) {
    this.#entries = entriesOf(consensus, nodes);
    const weights = numbersOf(consensus, "bandwidth-weights");
    this.#weights = new Map([...weights].map(([name, value]) => [name, value / 10_000]));
    this.#guardsToUse = numbersOf(consensus, "params").get("guard-n-primary-guards-to-use") ?? 1;
    this.#samples = this.#sample([]);
  }

  /** Every path to `port` that may come, each through guards sampled anew. */
  paths(port: number): LikelyPath[] {
    const exits = this.#likely("exit", (exit) => letsOut(exit, port));
    return exits.flatMap(([exit, exitChance]) =>
      this.#guards(exit).flatMap(([guard, guardChance]) =>
        this.#likely(
          "middle",
          (middle) => isFast(middle) && areApart(middle, exit) && areApart(middle, guard),
        ).map(([middle, chance]) => ({
          ...{ guard: guard.node.nickname, middle: middle.node.nickname, exit: exit.node.nickname },
          chance: exitChance * guardChance * chance,
        })),
      ),
    );
  }

  /** How likely a second path to `port` through the same sample has the same guard as the first. */
  sameGuard(port: number): number {
    const exits = this.#likely("exit", (exit) => letsOut(exit, port));
    return this.#samples.reduce((sum, { guards, chance }) => {
      const chances = new Map<Entry, number>();
      for (const [exit, exitChance] of exits)
        for (const [guard, part] of this.#shared(guards, exit))
          chances.set(guard, (chances.get(guard) ?? 0) + exitChance * part);
      return sum + chance * [...chances.values()].reduce((squares, part) => squares + part ** 2, 0);
    }, 0);
  }

  /** What a path to `port` breaks, for people; undefined when it is as it must be. */
  broken(path: PathNames, port: number): string | undefined {
    const [guard, middle, exit] = PLACES.map((place) => this.#named(path[place]));
    if (guard === undefined || middle === undefined || exit === undefined)
      return "a relay that is not listed";
    if (!mayBegin(guard)) return `${path.guard} is no guard`;
    if (!letsOut(exit, port)) return `${path.exit} does not let port ${port} out`;
    if (!isFast(middle)) return `${path.middle} is not Fast`;
    const pairs: readonly (readonly [Entry, Entry])[] = [
      [guard, middle],
      [middle, exit],
      [guard, exit],
    ];
    const close = pairs.find(([a, b]) => !areApart(a, b));
    return close && `${close[0].node.nickname} and ${close[1].node.nickname} are of one family or subnet`;
  }

  /** Guards are sampled one after the other by weight. */
  #sample(known: readonly Entry[]): Sample[] {
    if (known.length === PRIMARY_GUARDS) return [{ guards: known, chance: 1 }];
    return this.#likely("guard", (guard) => mayBegin(guard) && !known.includes(guard)).flatMap(
      ([guard, part]) =>
        this.#sample([...known, guard]).map(({ guards, chance }) => ({ guards, chance: chance * part })),
    );
  }

  /** How likely each guard is beside an exit, through guards sampled anew. */
  #guards(exit: Entry): Likely[] {
    const chances = new Map<Entry, number>();
    for (const { guards, chance } of this.#samples)
      for (const [guard, part] of this.#shared(guards, exit))
        chances.set(guard, (chances.get(guard) ?? 0) + chance * part);
    return [...chances];
  }

  /**
   * Circuits are spread evenly between the first of the primary guards. One that cannot stand beside the exit counts as one of
   * those, unless none is left (guard-spec 4.6).
   */
  #shared(guards: readonly Entry[], exit: Entry): Likely[] {
    const fitting = (some: readonly Entry[]) => some.filter((guard) => areApart(guard, exit));
    const first = fitting(guards.slice(0, this.#guardsToUse));
    const usable = first.length > 0 ? first : fitting(guards).slice(0, 1);
    return usable.map((guard) => [guard, 1 / usable.length]);
  }

  /** Those that may be chosen by weight; their chances add up to 1. */
  #likely(place: Place, allowed: (entry: Entry) => boolean): Likely[] {
    const weighed = this.#entries
      .filter(allowed)
      .map((entry) => [entry, this.#weight(entry, place)] as const)
      .filter(([, weight]) => weight > 0);
    const total = weighed.reduce((sum, [, weight]) => sum + weight, 0);
    return weighed.map(([entry, weight]) => [entry, weight / total]);
  }

  #weight({ flags, bandwidth }: Entry, place: Place): number {
    const isExit = flags.has("Exit") && !flags.has("BadExit");
    const kind = (flags.has("Guard") ? 1 : 0) + (isExit ? 2 : 0);
    const factor = (name: string | undefined) => (name === undefined ? 0 : (this.#weights.get(name) ?? 0));
    return bandwidth * factor(WEIGHTS[place][kind]) * (flags.has("V2Dir") ? factor(V2DIR_WEIGHTS[kind]) : 1);
  }

  #named(nickname: string): Entry | undefined {
    return this.#entries.find(({ node }) => node.nickname === nickname);
  }
}

/** What of a consensus paths depend on: two that agree in this give the same paths. */
export function essence(consensus: string): string {
  const lines = consensus.split(/\r?\n/).filter((line) => /^(r|s|w|params|bandwidth-weights) /.test(line));
  return lines
    .map((line) => (line.startsWith("r ") ? line.split(" ").slice(0, 3).join(" ") : line))
    .join("\n");
}

function entriesOf(consensus: string, nodes: readonly NodeSpec[]): Entry[] {
  const found = consensus.matchAll(/^r (\S+) [\s\S]*?^s (.*)$[\s\S]*?^w Bandwidth=(\d+)( Unmeasured=1)?/gm);
  const entries = new Map(
    [...found].map(([, name = "", flags = "", bandwidth, unmeasured]) => {
      const weight = unmeasured === undefined ? Number(bandwidth) : 0;
      return [name, { flags: new Set(flags.split(" ")), bandwidth: weight }] as const;
    }),
  );
  return nodes.flatMap((node) => {
    const entry = entries.get(node.nickname);
    return entry === undefined ? [] : [{ node, ...entry }];
  });
}

/** The `name=number` pairs of a line. */
function numbersOf(consensus: string, keyword: string): ReadonlyMap<string, number> {
  const line = new RegExp(`^${keyword} (.*)$`, "m").exec(consensus)?.[1];
  if (line === undefined) throw new Error(`the consensus has no "${keyword}"`);
  return new Map(line.split(" ").map((pair) => [pair.split("=")[0] ?? "", Number(pair.split("=")[1])]));
}

function isFast({ flags }: Entry): boolean {
  return flags.has("Fast") && flags.has("Valid");
}

function mayBegin(entry: Entry): boolean {
  return isFast(entry) && ["Guard", "Stable", "V2Dir"].every((flag) => entry.flags.has(flag));
}

function letsOut(entry: Entry, port: number): boolean {
  const { role, verdict, exitPorts } = entry.node;
  const isExit = role === "exit" && verdict === undefined && isFast(entry);
  return isExit && (exitPorts === undefined || exitPorts.includes(port));
}

function areApart({ node: a }: Entry, { node: b }: Entry): boolean {
  const sharesFamily = a.family !== undefined && a.family === b.family;
  const sharesKey = a.familyKey !== undefined && a.familyKey === b.familyKey;
  return a.nickname !== b.nickname && a.subnet !== b.subnet && !sharesFamily && !sharesKey;
}
