// The parameters' defaults and bounds are those of path-spec 2.4.6.

import fc from "fast-check";
import { expect, it } from "vitest";
import { buildTimeoutParams } from "../../../src/path/build-timeout/params.ts";
import { anyConsensus, netdir, paramsOf } from "./support.ts";

const DEFAULTS = {
  disabled: false,
  modes: 10,
  recentCount: 20,
  maxTimeouts: 18,
  minCircuits: 100,
  quantile: 0.8,
  closeQuantile: 0.99,
  testInterval: 10_000,
  minTimeout: 10,
  initialTimeout: 60_000,
  learnIdleTime: 180_000,
  maxOpenCircuits: 10,
};

it("are the defaults without a consensus, and with one that names none", () => {
  expect(buildTimeoutParams(undefined)).toEqual(DEFAULTS);
  expect(buildTimeoutParams(netdir())).toEqual(DEFAULTS);
});

it.each([
  ["cbtdisabled", "disabled", -1, false, 5, true],
  ["cbtnummodes", "modes", 0, 1, 21, 20],
  ["cbtrecentcount", "recentCount", 2, 3, 1001, 1000],
  ["cbtmaxtimeouts", "maxTimeouts", 2, 3, 10_001, 10_000],
  ["cbtmincircs", "minCircuits", 0, 1, 10_001, 10_000],
  ["cbtquantile", "quantile", 9, 0.1, 100, 0.99],
  ["cbtclosequantile", "closeQuantile", 79, 0.8, 100, 0.99],
  ["cbttestfreq", "testInterval", 0, 1000, 2 ** 31, (2 ** 31 - 1) * 1000],
  ["cbtmintimeout", "minTimeout", 9, 10, 2 ** 31, 2 ** 31 - 1],
  ["cbtinitialtimeout", "initialTimeout", 9, 10, 2 ** 31, 2 ** 31 - 1],
  ["cbtlearntimeout", "learnIdleTime", 9, 10_000, 60_001, 60_000_000],
  ["cbtmaxopencircs", "maxOpenCircuits", -1, 0, 15, 14],
] as const)("hold %s within its bounds", (name, field, low, least, high, most) => {
  expect(paramsOf({ [name]: low })[field]).toBe(least);
  expect(paramsOf({ [name]: high })[field]).toBe(most);
});

it("never close before the timeout, nor begin below the least timeout", () => {
  expect(paramsOf({ cbtquantile: 90, cbtclosequantile: 50 }).closeQuantile).toBe(0.9);
  expect(paramsOf({ cbtmintimeout: 70_000 }).initialTimeout).toBe(70_000);
  fc.assert(
    fc.property(anyConsensus, (consensus) => {
      const params = paramsOf(consensus);
      expect(params.closeQuantile).toBeGreaterThanOrEqual(params.quantile);
      expect(params.initialTimeout).toBeGreaterThanOrEqual(params.minTimeout);
    }),
  );
});
