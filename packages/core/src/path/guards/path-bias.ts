// Whether a guard lets circuits fail behind it to steer our paths (path-spec 7). Counts and warnings are C tor's; a guard
// is disabled by arti's rule, which C tor has (pb_dropguards) and leaves off. Not here: stream use counts (path-spec 7.2).

import type { PathBiasParams } from "./params.ts";

/** What became of a circuit of several hops after its first hop was complete. */
export type CircuitOutcome = "success" | "failed-after-first-hop";

export interface PathBiasCounts {
  /** Circuits that had their first hop. */
  readonly attempts: number;
  /** Those of them that became complete. */
  readonly successes: number;
}

/** arti's bounds: no judgement before so many circuits, and then this part of them may fail. */
const MIN_OBSERVATIONS = 15;
const MAX_FAILING = 0.7;

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
export function failsTooMany({ attempts, successes }: PathBiasCounts): boolean {
  return attempts >= MIN_OBSERVATIONS && (attempts - successes) / attempts > MAX_FAILING;
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
