// Defaults and bounds are those of guard-spec A.1, path-spec 7.4 and param-spec.

import { expect, it } from "vitest";
import { guardParams, SAMPLE_LIMIT } from "../../../src/path/guards/params.ts";
import { DAY, MINUTE } from "./support.ts";

const INT32_MAX = 2 ** 31 - 1;

/** A view with these parameters, clamped as a NetDir clamps them. */
const netdir = (params: Readonly<Record<string, number>>) => ({
  param: (name: string, fallback: number, min = -INT32_MAX, max = INT32_MAX) =>
    Math.min(max, Math.max(min, params[name] ?? fallback)),
});

const DEFAULTS = {
  maxSamplePercent: 20,
  maxSampleSize: 60,
  minFilteredSize: 20,
  lifetime: 120 * DAY,
  confirmedMinLifetime: 60 * DAY,
  removeUnlistedAfter: 20 * DAY,
  primaryGuards: 3,
  primaryToUse: 1,
  primaryDirToUse: 3,
  internetLikelyDown: 10 * MINUTE,
  connectTimeout: 15_000,
  idleTimeout: 10 * MINUTE,
  pathBias: {
    ...{ minCircuits: 150, noticePercent: 70, warnPercent: 50, scaleAbove: 300, scaleFactor: 0.5 },
    ...{ drops: false, extremePercent: 30 },
  },
};

it("are the defaults without a consensus, and with one that names none", () => {
  expect(guardParams(undefined)).toEqual(DEFAULTS);
  expect(guardParams(netdir({}))).toEqual(DEFAULTS);
});

it.each([
  ["guard-max-sample-threshold-percent", "maxSamplePercent", 1, 100],
  ["guard-max-sample-size", "maxSampleSize", 1, SAMPLE_LIMIT],
  ["guard-min-filtered-sample-size", "minFilteredSize", 1, SAMPLE_LIMIT],
  ["guard-lifetime-days", "lifetime", DAY, 3650 * DAY],
  ["guard-confirmed-min-lifetime-days", "confirmedMinLifetime", DAY, 3650 * DAY],
  ["guard-remove-unlisted-guards-after-days", "removeUnlistedAfter", DAY, 3650 * DAY],
  ["guard-n-primary-guards", "primaryGuards", 1, INT32_MAX],
  ["guard-n-primary-guards-to-use", "primaryToUse", 1, INT32_MAX],
  ["guard-n-primary-dir-guards-to-use", "primaryDirToUse", 1, INT32_MAX],
  ["guard-internet-likely-down-interval", "internetLikelyDown", 1000, INT32_MAX * 1000],
  ["guard-nonprimary-guard-connect-timeout", "connectTimeout", 1000, INT32_MAX * 1000],
  ["guard-nonprimary-guard-idle-timeout", "idleTimeout", 1000, INT32_MAX * 1000],
] as const)("hold %s within its bounds", (name, field, least, most) => {
  expect(guardParams(netdir({ [name]: -5 }))[field]).toBe(least);
  expect(guardParams(netdir({ [name]: 2 ** 40 }))[field]).toBe(most);
});

it.each([
  ["pb_mincircs", "minCircuits", 5, INT32_MAX],
  ["pb_noticepct", "noticePercent", 0, 100],
  ["pb_warnpct", "warnPercent", 0, 100],
  ["pb_extremepct", "extremePercent", 0, 100],
  ["pb_scalecircs", "scaleAbove", 10, INT32_MAX],
] as const)("hold %s within its bounds", (name, field, least, most) => {
  expect(guardParams(netdir({ [name]: -5 })).pathBias[field]).toBe(least);
  expect(guardParams(netdir({ [name]: 2 ** 40 })).pathBias[field]).toBe(most);
});

it("never scale path bias counts up", () => {
  expect(guardParams(netdir({ pb_multfactor: 9, pb_scalefactor: 4 })).pathBias.scaleFactor).toBe(1);
  expect(guardParams(netdir({ pb_multfactor: 3, pb_scalefactor: 4 })).pathBias.scaleFactor).toBe(0.75);
});
