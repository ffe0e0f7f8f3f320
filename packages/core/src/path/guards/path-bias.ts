// Whether a guard lets circuits fail behind it to steer our paths (path-spec 7), as C tor counts and judges it. A guard is
// disabled only where the network says so (pb_dropguards): when other relays die, circuits fail behind the best of guards.
// Not here: stream use counts (path-spec 7.2).

import type { PathBiasParams } from "./params.ts";

/** What became of a circuit of several hops after its first hop was complete. */
export type CircuitOutcome = "success" | "failed-after-first-hop";

export interface PathBiasCounts {
  /** Circuits that had their first hop. */
  readonly attempts: number;
  /** Those of them that became complete. */
  readonly successes: number;
}

/**
 * Counts one more outcome. A circuit that was complete and then broke is a failure (path-spec 7.1).
 * @param before what was counted for this very circuit, if anything
 */
export function countOutcome(
  { attempts, successes }: PathBiasCounts,
  outcome: CircuitOutcome,
  before: CircuitOutcome | undefined,
  { scaleAbove, scaleFactor }: PathBiasParams,
): PathBiasCounts {
  if (before !== undefined) return { attempts, successes: Math.max(0, successes - 1) };
  const scale = attempts > scaleAbove ? scaleFactor : 1;
  return { attempts: attempts * scale + 1, successes: successes * scale + (outcome === "success" ? 1 : 0) };
}

/** Whether so many circuits fail that the guard is not to be used any more. */
export function failsTooMany(
  { attempts, successes }: PathBiasCounts,
  { drops, extremePercent, minCircuits }: PathBiasParams,
): boolean {
  return drops && attempts > minCircuits && (100 * successes) / attempts < extremePercent;
}

/** The lowest of the network's percentages that the successes are below; undefined when all is well. */
export function belowPercent(
  { attempts, successes }: PathBiasCounts,
  { minCircuits, noticePercent, warnPercent }: PathBiasParams,
): number | undefined {
  if (attempts <= minCircuits) return undefined;
  const percent = (100 * successes) / attempts;
  return [warnPercent, noticePercent].find((bound) => percent < bound);
}
