// Paths to one port of everyone who chose some, as tables: how often each relay came in each place, and what the tests say of it.

import type { Row, Table } from "../table.ts";
import { goodnessOfFit, twoSamples, type Verdict } from "./chi-square.ts";
import { type Law, type LikelyPath, type PathNames, PLACES } from "./law.ts";

const EXPECTED = "expected";

/** What is counted of a path. */
type Outcome = (path: PathNames) => string;

/** Places are not chosen one apart from the other: two of them are counted together as well. */
const PAIRS: readonly (readonly [string, Outcome])[] = [
  ["guard and exit", ({ guard, exit }) => `${guard} ${exit}`],
  ["middle and exit", ({ middle, exit }) => `${middle} ${exit}`],
  ["guard and middle", ({ guard, middle }) => `${guard} ${middle}`],
];

const MEASURES = [
  ["degrees of freedom", "freedom", 0],
  ["chi-square", "statistic", 1],
  ["p", "p", 3],
] as const;

export class Comparison {
  readonly #law: Law;
  readonly #port: number;
  readonly #likely: readonly LikelyPath[];
  readonly #paths: ReadonlyMap<string, PathNames[]>;
  /** Second paths through the samples of the first ones, in the same order. */
  readonly #seconds: ReadonlyMap<string, PathNames[]>;

  /** @param choosers those who choose; the first is the one with whom the others are compared */
  constructor(law: Law, port: number, choosers: readonly string[]) {
    this.#law = law;
    this.#port = port;
    this.#likely = law.paths(port);
    this.#paths = new Map(choosers.map((who) => [who, []]));
    this.#seconds = new Map(choosers.map((who) => [who, []]));
  }

  /** @param path through guards sampled anew @param second through the same guards */
  add(who: string, path: PathNames, second: PathNames): void {
    this.#paths.get(who)?.push(path);
    this.#seconds.get(who)?.push(second);
  }

  /** A table for each place, and one of what concerns whole paths. */
  tables(): Table[] {
    const columns = [EXPECTED, ...this.#paths.keys()];
    const places = PLACES.map((place) => ({
      title: `The ${place} of paths to port ${this.#port}`,
      columns,
      rows: [...this.#countRows((path) => path[place]), ...this.#verdictRows((path) => path[place])],
    }));
    const pairs = PAIRS.flatMap(([name, outcome]) => this.#verdictRows(outcome, `${name} `));
    const title = `Whole paths to port ${this.#port}`;
    return [...places, { title, columns, rows: [...pairs, ...this.#secondRows(), ...this.#ruleRows()] }];
  }

  get #size(): number {
    return Math.max(...[...this.#paths.values()].map(({ length }) => length));
  }

  /** How often the second path through a sample has the guard of the first: what one path a sample cannot show. */
  #secondRows(): Row[] {
    const share = this.#law.sameGuard(this.#port);
    const same = this.#each((paths, who) => {
      const seconds = this.#seconds.get(who) ?? [];
      return paths.filter(({ guard }, i) => guard === seconds[i]?.guard).length;
    });
    const verdicts = this.#each(({ length }, who) => {
      const count = same[who] ?? 0;
      return goodnessOfFit([count, length - count], [share, 1 - share]);
    });
    const counts = { [EXPECTED]: share * this.#size, ...same };
    const title = "a sample's second path has the guard of its first";
    return [row(title, `of ${this.#size}`, counts), ...rowsOf(`that against ${EXPECTED}`, verdicts)];
  }

  #ruleRows(): Row[] {
    const all = this.#each((paths, who) => [...paths, ...(this.#seconds.get(who) ?? [])]);
    const isBroken = (path: PathNames) => this.#law.broken(path, this.#port) !== undefined;
    const broken = this.#each((_, who) => all[who]?.filter(isBroken).length ?? 0);
    const counts = this.#each((_, who) => all[who]?.length ?? 0);
    return [row("against a rule", "paths", broken), row("in all", "paths", counts)];
  }

  #countRows(outcome: Outcome): Row[] {
    const size = this.#size;
    const shares = [...this.#shares(outcome)].sort(([a], [b]) => (a < b ? -1 : 1));
    return shares.map(([name, share]) =>
      row(name, `of ${size}`, {
        [EXPECTED]: share * size,
        ...this.#each((paths) => paths.filter((path) => outcome(path) === name).length),
      }),
    );
  }

  #verdictRows(outcome: Outcome, what = ""): Row[] {
    const shares = this.#shares(outcome);
    const counts = (paths: readonly PathNames[]) =>
      [...shares.keys()].map((name) => paths.filter((path) => outcome(path) === name).length);
    const [[first, baseline] = ["", []], ...others] = this.#paths;
    const toExpected = this.#each((paths) => goodnessOfFit(counts(paths), [...shares.values()]));
    const toFirst = others.map(([who, paths]) => [who, twoSamples(counts(paths), counts(baseline))] as const);
    return [
      ...rowsOf(`${what}against ${EXPECTED}`, toExpected),
      ...rowsOf(`${what}against ${first}`, Object.fromEntries(toFirst)),
    ];
  }

  /** Of every outcome that may come, or came. */
  #shares(outcome: Outcome): ReadonlyMap<string, number> {
    const shares = new Map<string, number>();
    for (const path of this.#likely)
      shares.set(outcome(path), (shares.get(outcome(path)) ?? 0) + path.chance);
    for (const path of [...this.#paths.values()].flat())
      if (!shares.has(outcome(path))) shares.set(outcome(path), 0);
    return shares;
  }

  #each<T>(of: (paths: readonly PathNames[], who: string) => T): Record<string, T> {
    return Object.fromEntries([...this.#paths].map(([who, paths]) => [who, of(paths, who)]));
  }
}

function rowsOf(what: string, verdicts: Readonly<Record<string, Verdict>>): Row[] {
  return MEASURES.map(([unit, measure, digits]) => {
    const values = Object.entries(verdicts).map(([who, verdict]) => [who, verdict[measure]] as const);
    return row(what, unit, Object.fromEntries(values), digits);
  });
}

function row(title: string, unit: string, values: Readonly<Record<string, number>>, digits = 0): Row {
  const samples = Object.entries(values).map(([column, value]) => [column, [[value]]] as const);
  return { title, unit, digits, samples: Object.fromEntries(samples) };
}
