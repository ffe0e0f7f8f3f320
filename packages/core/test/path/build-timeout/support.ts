// What the tests of build timeouts share: consensus parameters, chance that repeats itself, stored build times.

import fc from "fast-check";
import type { BuildTimeoutEstimator } from "../../../src/path/build-timeout/estimator.ts";
import { type Bin, type BuildTimes, histogramOf } from "../../../src/path/build-timeout/history.ts";
import { buildTimeoutParams } from "../../../src/path/build-timeout/params.ts";

/** A view with these parameters, clamped as a NetDir clamps them. */
export function netdir(params: Readonly<Record<string, number>> = {}) {
  return {
    param: (name: string, fallback: number, min = -(2 ** 31), max = 2 ** 31 - 1) =>
      Math.min(Math.max(params[name] ?? fallback, min), max),
  };
}

export const paramsOf = (params: Readonly<Record<string, number>>) => buildTimeoutParams(netdir(params));

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function chance(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const stored = (times: readonly number[]): BuildTimes => ({
  histogram: histogramOf(Uint32Array.from(times)),
});

/** `count` circuits whose first hop was complete and no more. */
export function timeOut(estimator: BuildTimeoutEstimator, count: number): void {
  for (let i = 0; i < count; i++) estimator.timedOut({ firstHopDone: true });
}

/** Any consensus, sensible or not. */
export const anyConsensus: fc.Arbitrary<Record<string, number>> = fc.dictionary(
  fc.constantFrom(
    ...["cbtdisabled", "cbtnummodes", "cbtrecentcount", "cbtmaxtimeouts", "cbtmincircs", "cbtquantile"],
    ...["cbtclosequantile", "cbttestfreq", "cbtmintimeout", "cbtinitialtimeout", "cbtmaxopencircs"],
    "cbtlearntimeout",
  ),
  fc.oneof(fc.integer({ min: -1, max: 120 }), fc.integer()),
);

/** Any stored build times that are in order. */
export const anyStored: fc.Arbitrary<BuildTimes> = fc
  .uniqueArray(
    fc.tuple(
      fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 214_748_363 })),
      fc.integer({ min: 1, max: 50 }),
    ),
    { maxLength: 20, selector: ([bin]) => bin },
  )
  .map((bins) => ({
    histogram: bins.map(([bin, count]): Bin => [10 * bin + 5, count]).sort(([a], [b]) => a - b),
  }));
