// Consensus parameters of circuit build timeouts, with their defaults and bounds (path-spec 2.4.6, param-spec "cbt*").

import type { NetDir } from "../../directory/api.ts";

export interface BuildTimeoutParams {
  /** cbtdisabled: nothing is learned, and what was learned is forgotten. */
  readonly disabled: boolean;
  /** cbtnummodes: how many of the fullest bins Xm is the average of. */
  readonly modes: number;
  /** cbtrecentcount: of how many circuits it is remembered whether they timed out. */
  readonly recentCount: number;
  /** cbtmaxtimeouts: how many timeouts among those make us learn anew. */
  readonly maxTimeouts: number;
  /** cbtmincircs: build times needed for an estimate. */
  readonly minCircuits: number;
  /** cbtquantile: the fraction of all paths that is fast enough to be used. */
  readonly quantile: number;
  /** cbtclosequantile: the fraction of them that is waited for, to be measured. */
  readonly closeQuantile: number;
  /** cbttestfreq: milliseconds from one test circuit to the next. */
  readonly testInterval: number;
  /** cbtmintimeout: milliseconds. */
  readonly minTimeout: number;
  /** cbtinitialtimeout: milliseconds, used before there is an estimate. */
  readonly initialTimeout: number;
  /** cbtlearntimeout: milliseconds for which an unused circuit is kept while we learn. */
  readonly learnIdleTime: number;
  /** cbtmaxopencircs: no test circuit is built while this many circuits are open. */
  readonly maxOpenCircuits: number;
}

const INT32_MAX = 2 ** 31 - 1;
const SECOND = 1000;

/** @param netdir undefined while there is no view of the network: the defaults hold */
export function buildTimeoutParams(netdir: Pick<NetDir, "param"> | undefined): BuildTimeoutParams {
  const param = (name: string, fallback: number, min: number, max: number) =>
    netdir === undefined ? fallback : netdir.param(name, fallback, min, max);
  const quantile = param("cbtquantile", 80, 10, 99);
  const minTimeout = param("cbtmintimeout", 10, 10, INT32_MAX);
  return {
    disabled: param("cbtdisabled", 0, 0, 1) === 1,
    modes: param("cbtnummodes", 10, 1, 20),
    recentCount: param("cbtrecentcount", 20, 3, 1000),
    maxTimeouts: param("cbtmaxtimeouts", 18, 3, 10_000),
    minCircuits: param("cbtmincircs", 100, 1, 10_000),
    quantile: quantile / 100,
    closeQuantile: param("cbtclosequantile", 99, quantile, 99) / 100,
    testInterval: param("cbttestfreq", 10, 1, INT32_MAX) * SECOND,
    minTimeout,
    initialTimeout: param("cbtinitialtimeout", 60_000, minTimeout, INT32_MAX),
    learnIdleTime: param("cbtlearntimeout", 180, 10, 60_000) * SECOND,
    maxOpenCircuits: param("cbtmaxopencircs", 10, 0, 14),
  };
}
