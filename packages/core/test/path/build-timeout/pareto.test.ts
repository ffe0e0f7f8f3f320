// The curve through the build times: the vectors of C tor (test.c, circuit_timeout_xm_alpha) and of arti (pareto.rs).

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitPareto, type Pareto, quantileOf } from "../../../src/path/build-timeout/pareto.ts";
import { chance } from "./support.ts";

const INT32_MAX = 2 ** 31 - 1;

function fit(times: readonly number[], modes: number): Pareto {
  const pareto = fitPareto(Uint32Array.from(times), modes);
  if (pareto === undefined) throw new Error("no curve");
  return pareto;
}

describe("C tor's vectors", () => {
  /** Ten circuits in each of nine bins, and twenty in the bin of 200; its ten abandoned ones count for nothing. */
  const TIMES = [100, 20, 1000, 500, 200, 5000, 30, 600, 200, 300].flatMap((time) =>
    Array.from({ length: 10 }, (_, i) => time + i),
  );

  it.each([
    [1, 205, 1.394401],
    [3, 117, 0.902313],
    [5, 146, 1.049032],
    [10, 800, 4.851754],
    [15, 800, 4.851754],
    [20, 800, 4.851754],
  ])("with %d modes have Xm %d and alpha %d", (modes, xm, alpha) => {
    const pareto = fit(TIMES, modes);
    expect(pareto.xm).toBe(xm);
    expect(Math.abs(1 / pareto.inverseAlpha - alpha)).toBeLessThan(0.00001);
  });

  it("clamp quantiles of curves that are none to 2^31-1", () => {
    expect(quantileOf({ xm: 3000, inverseAlpha: 1 / INT32_MAX }, 0.99999999)).toBeLessThanOrEqual(INT32_MAX);
    expect(quantileOf({ xm: 3000, inverseAlpha: Number.POSITIVE_INFINITY }, 0.5)).toBe(INT32_MAX);
  });

  it("find 1000 samples' 80 % quantile within 2 % of the paths (circuit_timeout: Xm 3 s, quantile 30 s)", () => {
    const random = chance(1);
    const curve: Pareto = { xm: 3000, inverseAlpha: Math.log(30_000 / 3000) / Math.log(5) };
    expect(quantileOf(curve, 0.8)).toBeCloseTo(30_000, 6);
    const samples = Array.from({ length: 1000 }, () => Math.round(quantileOf(curve, random())));
    const found = quantileOf(fit(samples, 10), 0.8);
    const share = 1 - (curve.xm / found) ** (1 / curve.inverseAlpha);
    expect(Math.abs(share - 0.8)).toBeLessThan(0.02);
  });
});

describe("arti's vectors", () => {
  const TIMES = [300, 500, 542, 305, 543, 307, 212, 203, 617, 413];

  it("have Xm 401 with two modes, and its curve and quantiles", () => {
    const pareto = fit(TIMES, 2);
    expect(pareto.xm).toBe(401);
    const logs = [401, 500, 542, 401, 543, 401, 401, 401, 617, 413].map(Math.log);
    const sum = logs.reduce((a, b) => a + b, 0);
    expect(pareto.inverseAlpha).toBeCloseTo((sum - 10 * Math.log(401)) / 10, 12);
    const micros = (q: number) => Math.floor(1000 * quantileOf(pareto, q));
    expect([micros(0.6), micros(0.8), micros(0.99)]).toEqual([451_127, 493_169, 724_841]);
  });

  it("have no curve without times", () => {
    expect(fitPareto(new Uint32Array(), 2)).toBeUndefined();
  });
});

describe("Xm", () => {
  it("is made of the lower bins where more are equally full", () => {
    expect(fit([903, 15, 305, 100], 2).xm).toBe(60);
    expect(fit([903, 905, 15, 305, 100], 2).xm).toBe(Math.floor((2 * 905 + 15) / 3));
  });
});

describe("the curve", () => {
  const times = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: INT32_MAX })),
    {
      minLength: 1,
      maxLength: 100,
    },
  );
  const modes = fc.integer({ min: 1, max: 20 });
  const quantile = fc.double({ min: 0, max: 1, noNaN: true });

  it("is a line where all times are one, never one that falls", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200_000_000 }),
        fc.integer({ min: 1, max: 1000 }),
        (bin, count) => {
          const time = 10 * bin + 5;
          const pareto = fit(new Array<number>(count).fill(time), 10);
          expect(quantileOf(pareto, 0.99)).toBeGreaterThanOrEqual(time);
          expect(quantileOf(pareto, 0.99)).toBeLessThan(time * (1 + 1e-9));
        },
      ),
    );
  });

  it("rises with the quantile, from Xm, and is finite, whatever the times", () => {
    fc.assert(
      fc.property(times, modes, quantile, quantile, (samples, n, q, r) => {
        const pareto = fit(samples, n);
        const [low, high] = [quantileOf(pareto, Math.min(q, r)), quantileOf(pareto, Math.max(q, r))];
        expect(quantileOf(pareto, 0)).toBe(pareto.xm);
        expect(low).toBeGreaterThanOrEqual(pareto.xm);
        expect(high).toBeGreaterThanOrEqual(low);
        expect(high).toBeLessThanOrEqual(INT32_MAX);
      }),
    );
  });
});
