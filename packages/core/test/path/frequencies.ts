// Counts held against what they should be (Pearson's chi-square), and numbers that are the same in every run.

import { vi } from "vitest";

/** What is expected at the least in one group; rarer outcomes are counted together. */
const LEAST_EXPECTED = 5;

/**
 * How far counts are from what is expected, in standard deviations of a normal distribution (Wilson and Hilferty's form of
 * the chi-square distribution, 1931); far below zero means that they are too regular for chance.
 * @param expected how often each outcome should have come, in proportion; one that should not come at all is 0
 */
export function deviation(observed: readonly number[], expected: readonly number[]): number {
  const draws = sum(observed);
  const scale = draws / sum(expected);
  let [squares, groups] = [0, 0];
  let rest = { observed: 0, expected: 0 };
  const close = (group: typeof rest) => {
    squares += (group.observed - group.expected) ** 2 / group.expected;
    groups++;
  };
  for (const [i, share] of expected.entries()) {
    const group = { observed: observed[i] ?? 0, expected: share * scale };
    if (share === 0 && group.observed > 0) return Number.POSITIVE_INFINITY;
    if (group.expected >= LEAST_EXPECTED) {
      close(group);
      continue;
    }
    rest = { observed: rest.observed + group.observed, expected: rest.expected + group.expected };
    if (rest.expected < LEAST_EXPECTED) continue;
    close(rest);
    rest = { observed: 0, expected: 0 };
  }
  if (rest.expected > 0) close(rest);
  const freedom = groups - 1;
  if (freedom < 1) throw new Error("nothing to compare");
  const spread = 2 / (9 * freedom);
  return ((squares / freedom) ** (1 / 3) - (1 - spread)) / Math.sqrt(spread);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Has crypto.getRandomValues give the same numbers in every run (Doty-Humphrey's sfc32), until globals are unstubbed. */
export function seedRandomness(seed: number): void {
  let [a, b, c, counter] = [0, seed, ~seed, 1];
  const next = () => {
    const word = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    return word;
  };
  for (let i = 0; i < 20; i++) next();
  const getRandomValues = (array: Uint32Array) => {
    for (let i = 0; i < array.length; i++) array[i] = next();
    return array;
  };
  vi.stubGlobal("crypto", { getRandomValues });
}
