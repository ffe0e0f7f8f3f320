// The last 1000 build times of three hops, and their histogram, in which they are stored (path-spec 2.4.2).

import { badApiUsage } from "../../base/errors.ts";
import { shuffled } from "../../base/random.ts";

/** The middle of a bin in milliseconds, and how many build times are in it. */
export type Bin = readonly [middle: number, count: number];

/** Build times as JSON. What timed out lately is not among it: each start begins that anew (path-spec 2.4.5). */
export interface BuildTimes {
  /** From the fastest to the slowest; no bin is empty. */
  readonly histogram: readonly Bin[];
}

/** How many build times are kept. */
export const HISTORY_LENGTH = 1000;

/** Milliseconds. */
const BIN_WIDTH = 10;
const LONGEST_TIME = 2 ** 31 - 1;

/** A ring of build times. */
export class BuildTimeHistory {
  readonly #ring = new Uint32Array(HISTORY_LENGTH);
  #count = 0;
  #next = 0;

  get count(): number {
    return this.#count;
  }

  /** Milliseconds, in no order; valid until the next change. */
  get times(): Uint32Array {
    return this.#ring.subarray(0, this.#count);
  }

  /** The slowest; 0 where there is none. */
  get longest(): number {
    return this.times.reduce((longest, time) => Math.max(longest, time), 0);
  }

  /** @param ms not negative */
  add(ms: number): void {
    this.#ring[this.#next] = Math.min(Math.max(1, Math.round(ms)), LONGEST_TIME);
    this.#next = (this.#next + 1) % HISTORY_LENGTH;
    this.#count = Math.min(this.#count + 1, HISTORY_LENGTH);
  }

  /** Adds stored build times, each as the middle of its bin. Shuffled, for in order the fastest would expire first. */
  restore({ histogram }: BuildTimes): void {
    const times = histogram.flatMap(([middle, count]) => new Array<number>(count).fill(middle));
    for (const time of shuffled(times)) this.add(time);
  }

  clear(): void {
    this.#count = 0;
    this.#next = 0;
  }
}

/** The bins that are not empty, from the fastest to the slowest. */
export function histogramOf(times: Uint32Array): Bin[] {
  const bins = new Map<number, number>();
  for (const time of times) {
    const middle = time - (time % BIN_WIDTH) + BIN_WIDTH / 2;
    bins.set(middle, (bins.get(middle) ?? 0) + 1);
  }
  return [...bins].sort(([a], [b]) => a - b);
}

/** Checks a parsed JSON value and copies what is known of it. @throws TorError `bad-api-usage` */
export function parseBuildTimes(value: unknown): BuildTimes {
  const histogram = (value as { histogram?: unknown } | null | undefined)?.histogram;
  if (!Array.isArray(histogram)) throw malformed('"histogram" must be a list');
  const bins: Bin[] = [];
  let last = 0;
  let total = 0;
  for (const item of histogram) {
    const [middle, count] = parseBin(item);
    if (middle <= last) throw malformed("the bins are out of order");
    last = middle;
    total += count;
    if (total > HISTORY_LENGTH) throw malformed(`more than ${HISTORY_LENGTH} build times`);
    bins.push([middle, count]);
  }
  return { histogram: bins };
}

function parseBin(value: unknown): Bin {
  if (!Array.isArray(value) || value.length !== 2) throw malformed("a bin must be a pair");
  const [middle, count]: unknown[] = value;
  if (!isInteger(middle, LONGEST_TIME) || middle % BIN_WIDTH !== BIN_WIDTH / 2)
    throw malformed("a bin's middle is wrong");
  if (!isInteger(count, HISTORY_LENGTH)) throw malformed("a bin's count is wrong");
  return [middle, count];
}

function isInteger(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max;
}

function malformed(message: string) {
  return badApiUsage("ALLIUM_E_BAD_BUILD_TIMES", `not stored build times: ${message}`);
}
