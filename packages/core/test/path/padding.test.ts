// Which padding the user's choice and the consensus's parameters lead to (padding-spec 2.5, 2.6).

import { describe, expect, it } from "vitest";
import { paddingRange, padsBeforeUse, unusedCircuitLifetime } from "../../src/path/padding.ts";

/** A view with these parameters, clamped as a NetDir clamps them. */
function netdir(params: Record<string, number> = {}) {
  return {
    param: (name: string, fallback: number, min = -Infinity, max = Infinity) =>
      Math.min(Math.max(params[name] ?? fallback, min), max),
  };
}

describe("a circuit that nobody used", () => {
  const MINUTE = 60_000;
  const drawn = (...args: Parameters<typeof unusedCircuitLifetime>) =>
    Array.from({ length: 2000 }, () => unusedCircuitLifetime(...args) / MINUTE);

  it.each([
    ["normal", {}, 30],
    ["off", {}, 30],
    ["reduced", {}, 15],
    ["normal", { nf_conntimeout_clients: 600 }, 10],
    ["reduced", { nf_conntimeout_clients: 600 }, 5],
    ["normal", { nf_conntimeout_clients: 1 }, 1],
    ["normal", { nf_conntimeout_clients: 1e9 }, 24 * 60],
  ] as const)(
    "with %s padding and %o is kept for %d minutes, or up to twice as long",
    (mode, params, least) => {
      const lifetimes = drawn(mode, netdir(params));
      expect(Math.min(...lifetimes)).toBeGreaterThanOrEqual(least);
      expect(Math.max(...lifetimes)).toBeLessThan(2 * least);
      expect(Math.max(...lifetimes) - Math.min(...lifetimes)).toBeGreaterThan(0.9 * least);
    },
  );
});

describe("the range", () => {
  it("is 1.5 to 9.5 s, and 9 to 14 s where padding is reduced", () => {
    expect(paddingRange("normal", netdir())).toEqual({ low: 1500, high: 9500 });
    expect(paddingRange("reduced", netdir())).toEqual({ low: 9000, high: 14_000 });
    expect(paddingRange("off", netdir())).toEqual({ low: 0, high: 0 });
  });

  it("is the consensus's, within bounds", () => {
    expect(paddingRange("normal", netdir({ nf_ito_low: 100, nf_ito_high: 200 }))).toEqual({
      low: 100,
      high: 200,
    });
    expect(paddingRange("normal", netdir({ nf_ito_low: -5, nf_ito_high: 1e6 }))).toEqual({
      low: 0,
      high: 60_000,
    });
    expect(paddingRange("normal", netdir({ nf_ito_low: 12_000 }))).toEqual({ low: 12_000, high: 12_000 });
    const reduced = netdir({ nf_ito_low_reduced: 20_000, nf_ito_high_reduced: 10 });
    expect(paddingRange("reduced", reduced)).toEqual({ low: 20_000, high: 20_000 });
  });

  it("is never shorter than the usual one where it is reduced", () => {
    const netdirOfLong = netdir({ nf_ito_low: 20_000, nf_ito_high: 30_000 });
    expect(paddingRange("reduced", netdirOfLong)).toEqual({ low: 20_000, high: 30_000 });
  });

  it("is none where the consensus has switched padding off", () => {
    for (const mode of ["normal", "reduced", "off"] as const) {
      expect(paddingRange(mode, netdir({ nf_ito_low: 0, nf_ito_high: 0 }))).toEqual({ low: 0, high: 0 });
    }
  });
});

it("links are padded before their first stream unless the consensus says otherwise", () => {
  expect(padsBeforeUse(netdir())).toBe(true);
  expect(padsBeforeUse(netdir({ nf_pad_before_usage: 0 }))).toBe(false);
});
