// Consensus parameters of guards and of the path bias measure, with defaults and bounds (guard-spec A.1, path-spec 7.4,
// param-spec "guard-*" and "pb_*").

import type { NetDir } from "../../directory/api.ts";

export interface GuardParams {
  /** guard-max-sample-threshold-percent: no more than this percentage of all guards is sampled. */
  readonly maxSamplePercent: number;
  /** guard-max-sample-size: and no more than this many. */
  readonly maxSampleSize: number;
  /** guard-min-filtered-sample-size: the sample is extended while fewer than this many of it can be used. */
  readonly minFilteredSize: number;
  /** guard-lifetime-days, in milliseconds. */
  readonly lifetime: number;
  /** guard-confirmed-min-lifetime-days, in milliseconds. */
  readonly confirmedMinLifetime: number;
  /** guard-remove-unlisted-guards-after-days, in milliseconds. */
  readonly removeUnlistedAfter: number;
  /** guard-n-primary-guards */
  readonly primaryGuards: number;
  /** guard-n-primary-guards-to-use: between how many of them circuits are spread. */
  readonly primaryToUse: number;
  /** guard-n-primary-dir-guards-to-use: the same for one-hop circuits to directory caches. */
  readonly primaryDirToUse: number;
  /** guard-internet-likely-down-interval, in milliseconds. */
  readonly internetLikelyDown: number;
  /** guard-nonprimary-guard-connect-timeout, in milliseconds. */
  readonly connectTimeout: number;
  /** guard-nonprimary-guard-idle-timeout, in milliseconds. */
  readonly idleTimeout: number;
  readonly pathBias: PathBiasParams;
}

export interface PathBiasParams {
  /** pb_mincircs: no warning before this many circuits. */
  readonly minCircuits: number;
  /** pb_noticepct and pb_warnpct: the percentages of complete circuits below which there is a warning. */
  readonly noticePercent: number;
  readonly warnPercent: number;
  /** pb_dropguards and pb_extremepct: whether a guard is disabled below that percentage; not unless the network says so. */
  readonly drops: boolean;
  readonly extremePercent: number;
  /** pb_scalecircs: beyond this many circuits the counts are scaled down. */
  readonly scaleAbove: number;
  /** pb_multfactor / pb_scalefactor: by this, 0 to 1. */
  readonly scaleFactor: number;
}

/** What a sample never exceeds, whatever the consensus says: it is also what is accepted from storage. */
export const SAMPLE_LIMIT = 250;

const INT32_MAX = 2 ** 31 - 1;
const SECOND = 1000;
const DAY = 86_400 * SECOND;
const MAX_DAYS = 3650;

/** @param netdir undefined while there is no view of the network: the defaults hold */
export function guardParams(netdir: Pick<NetDir, "param"> | undefined): GuardParams {
  const param = (name: string, fallback: number, max = INT32_MAX) =>
    netdir === undefined ? fallback : netdir.param(`guard-${name}`, fallback, 1, max);
  return {
    maxSamplePercent: param("max-sample-threshold-percent", 20, 100),
    maxSampleSize: param("max-sample-size", 60, SAMPLE_LIMIT),
    minFilteredSize: param("min-filtered-sample-size", 20, SAMPLE_LIMIT),
    lifetime: param("lifetime-days", 120, MAX_DAYS) * DAY,
    confirmedMinLifetime: param("confirmed-min-lifetime-days", 60, MAX_DAYS) * DAY,
    removeUnlistedAfter: param("remove-unlisted-guards-after-days", 20, MAX_DAYS) * DAY,
    primaryGuards: param("n-primary-guards", 3),
    primaryToUse: param("n-primary-guards-to-use", 1),
    primaryDirToUse: param("n-primary-dir-guards-to-use", 3),
    internetLikelyDown: param("internet-likely-down-interval", 600) * SECOND,
    connectTimeout: param("nonprimary-guard-connect-timeout", 15) * SECOND,
    idleTimeout: param("nonprimary-guard-idle-timeout", 600) * SECOND,
    pathBias: pathBiasParams(netdir),
  };
}

function pathBiasParams(netdir: Pick<NetDir, "param"> | undefined): PathBiasParams {
  const param = (name: string, fallback: number, min: number, max: number) =>
    netdir === undefined ? fallback : netdir.param(`pb_${name}`, fallback, min, max);
  const divisor = param("scalefactor", 2, 2, INT32_MAX);
  return {
    minCircuits: param("mincircs", 150, 5, INT32_MAX),
    noticePercent: param("noticepct", 70, 0, 100),
    warnPercent: param("warnpct", 50, 0, 100),
    drops: param("dropguards", 0, 0, 1) === 1,
    extremePercent: param("extremepct", 30, 0, 100),
    scaleAbove: param("scalecircs", 300, 10, INT32_MAX),
    scaleFactor: param("multfactor", 1, 1, divisor) / divisor,
  };
}
