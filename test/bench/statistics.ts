// The few statistics that the benches need. Figures of one round are compared with one another only: the machine is noisy, and
// what disturbs a round disturbs all of it.

/** What one contender measured under one condition: its samples, round by round. */
export type Samples = readonly (readonly number[])[];

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("no median of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

export interface Summary {
  /** The median of the rounds' medians. */
  readonly median: number;
  /** The smallest and the largest sample of all. */
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/** Undefined where no round has a sample. */
export function summarize(samples: Samples): Summary | undefined {
  const rounds = samples.filter((round) => round.length > 0);
  if (rounds.length === 0) return undefined;
  const all = rounds.flat();
  return {
    median: median(rounds.map(median)),
    min: Math.min(...all),
    max: Math.max(...all),
    rounds: rounds.length,
  };
}

/**
 * The median over the rounds of value to baseline, each of the same round; undefined where they share no round. A baseline of
 * nothing, as of CPU time below the clock's 10 ms, has no ratio.
 */
export function ratio(samples: Samples, baseline: Samples): number | undefined {
  const ratios: number[] = [];
  for (const [i, round] of samples.entries()) {
    const base = baseline[i] ?? [];
    const divisor = base.length > 0 ? median(base) : 0;
    if (round.length > 0 && divisor !== 0) ratios.push(median(round) / divisor);
  }
  return ratios.length === 0 ? undefined : median(ratios);
}

/** Who goes when: everybody takes every place in turn, and every other round goes backwards. */
export function orderOf<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : Math.floor(round / 2) % items.length;
  const rotated = [...items.slice(start), ...items.slice(0, start)];
  return round % 2 === 0 ? rotated : rotated.reverse();
}
