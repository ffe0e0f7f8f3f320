// Pearson's chi-square: whether counts are what shares let expect, and whether two sets of counts come from the same shares.
// Outcomes too rare for the test (Cochran's rule of five) are counted together.

export interface Verdict {
  readonly statistic: number;
  readonly freedom: number;
  /** How likely chance gives a statistic as large. */
  readonly p: number;
}

const LEAST_EXPECTED = 5;

/** @param shares of each outcome, in proportion; what should never come has 0, and comes with p = 0 */
export function goodnessOfFit(observed: readonly number[], shares: readonly number[]): Verdict {
  const scale = sum(observed) / sum(shares);
  const expected = shares.map((share) => share * scale);
  const never = expected.some((value, i) => value === 0 && (observed[i] ?? 0) > 0);
  if (never) return { statistic: Number.POSITIVE_INFINITY, freedom: shares.length - 1, p: 0 };
  const groups = groupRare(expected, [observed, expected]);
  const terms = groups.map(([count = 0, mean = 0]) => (count - mean) ** 2 / mean);
  return verdict(sum(terms), groups.length - 1);
}

/** Of two sets of counts, which may differ in size. */
export function twoSamples(a: readonly number[], b: readonly number[]): Verdict {
  const [sizeA, sizeB] = [sum(a), sum(b)];
  const smaller = Math.min(sizeA, sizeB) / (sizeA + sizeB);
  const groups = groupRare(
    a.map((count, i) => (count + (b[i] ?? 0)) * smaller),
    [a, b],
  );
  const [toA, toB] = [Math.sqrt(sizeB / sizeA), Math.sqrt(sizeA / sizeB)];
  const terms = groups.map(([inA = 0, inB = 0]) => (toA * inA - toB * inB) ** 2 / (inA + inB));
  return verdict(sum(terms), groups.length - 1);
}

/** Adds up rows wherever little is expected: the least expected outcomes together, until they are enough. */
function groupRare(expected: readonly number[], rows: readonly (readonly number[])[]): number[][] {
  const order = [...expected.keys()].sort((i, j) => (expected[i] ?? 0) - (expected[j] ?? 0));
  const groups: number[][] = [];
  let [group, mean] = [rows.map(() => 0), 0];
  for (const i of order) {
    group = group.map((value, row) => value + (rows[row]?.[i] ?? 0));
    mean += expected[i] ?? 0;
    if (mean < LEAST_EXPECTED) continue;
    groups.push(group);
    [group, mean] = [rows.map(() => 0), 0];
  }
  if (groups.length < 2) throw new RangeError("too few counts to compare");
  return groups;
}

function verdict(statistic: number, freedom: number): Verdict {
  return { statistic, freedom, p: chiSquareTail(statistic, freedom) };
}

/** The chance of at least `x` in a chi-square distribution: by the recurrence of the incomplete gamma function. */
export function chiSquareTail(x: number, freedom: number): number {
  const z = x / 2;
  const isEven = freedom % 2 === 0;
  let tail = isEven ? Math.exp(-z) : erfc(Math.sqrt(z));
  let term = isEven ? z * Math.exp(-z) : 2 * Math.sqrt(z / Math.PI) * Math.exp(-z);
  for (let a = isEven ? 1 : 0.5; a < freedom / 2; a++) {
    tail += term;
    term *= z / (a + 1);
  }
  return Math.min(1, tail);
}

/** For 0 and more (Abramowitz and Stegun 7.1.26, within 1.5e-7). */
function erfc(x: number): number {
  const t = 1 / (1 + 0.3275911 * x);
  const polynomial = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  return polynomial.reduce((value, coefficient) => (value + coefficient) * t, 0) * Math.exp(-x * x);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
