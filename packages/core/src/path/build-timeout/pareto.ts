// The Pareto curve through the tail of the build times, and its quantiles (path-spec 2.4.1, 2.4.3).

import { type Bin, histogramOf } from "./history.ts";

/** A Pareto distribution. 1/alpha instead of alpha: it is what quantiles need, and 0 where all times are one. */
export interface Pareto {
  /** Milliseconds. */
  readonly xm: number;
  readonly inverseAlpha: number;
}

const INT32_MAX = 2 ** 31 - 1;

/**
 * @param times milliseconds
 * @param modes how many of the fullest bins Xm is made of
 * @returns undefined where there are no times
 */
export function fitPareto(times: Uint32Array, modes: number): Pareto | undefined {
  if (times.length === 0) return undefined;
  const xm = meanOfModes(histogramOf(times), modes);
  let logs = 0;
  for (const time of times) logs += Math.log(Math.max(time, xm));
  // Rounding can leave a trace below 0, which would make a curve that falls.
  const inverseAlpha = Math.max(0, logs - times.length * Math.log(xm)) / times.length;
  return { xm, inverseAlpha };
}

/** Milliseconds below which the fraction `q` of the curve's circuits is built; 2^31-1 where it is more than that. */
export function quantileOf({ xm, inverseAlpha }: Pareto, q: number): number {
  return Math.min(xm / (1 - q) ** inverseAlpha, INT32_MAX);
}

/** The average of the fullest bins, each by its count; of equally full ones the lower go first. */
function meanOfModes(histogram: readonly Bin[], modes: number): number {
  const fullest = [...histogram].sort(([a, m], [b, n]) => n - m || a - b).slice(0, modes);
  let total = 0;
  let count = 0;
  for (const [middle, times] of fullest) {
    total += middle * times;
    count += times;
  }
  return Math.floor(total / count);
}
