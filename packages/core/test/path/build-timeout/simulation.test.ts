// Circuits built by the thousand on networks of known speed: the estimator finds the quantile that it is asked for.

import { describe, expect, it } from "vitest";
import { BuildTimeoutEstimator } from "../../../src/path/build-timeout/estimator.ts";
import { parseBuildTimes } from "../../../src/path/build-timeout/history.ts";
import { buildTimeoutParams } from "../../../src/path/build-timeout/params.ts";
import { chance, paramsOf } from "./support.ts";

/** Build time in milliseconds below which the fraction `q` of the network's circuits stays. */
type Network = (q: number) => number;

const pareto =
  (xm: number, alpha: number): Network =>
  (q) =>
    xm / (1 - q) ** (1 / alpha);
/** The form that path-spec 2.4.1 found real build times to have. */
const frechet =
  (scale: number, alpha: number): Network =>
  (q) =>
    scale * (-Math.log(q)) ** (-1 / alpha);

/** Builds circuits as a client does; returns the fraction that was not used because it was too slow. */
function buildCircuits(
  estimator: BuildTimeoutEstimator,
  network: Network,
  count: number,
  random: () => number,
) {
  let tooSlow = 0;
  for (let i = 0; i < count; i++) {
    const ms = network(random());
    const { timeout, abandon } = estimator.limits(3);
    const late = ms > timeout;
    if (late) estimator.timedOut({ firstHopDone: true });
    if (ms <= abandon) estimator.built(ms, { late });
    if (late) tooSlow++;
  }
  return tooSlow / count;
}

const NETWORKS: readonly (readonly [string, Network])[] = [
  ["Pareto-distributed", pareto(400, 3)],
  ["Pareto-distributed and fast", pareto(150, 5)],
  ["Pareto-distributed with a long tail", pareto(1200, 2)],
  ["Fréchet-distributed", frechet(500, 3)],
];

describe.each(NETWORKS)("a network that is %s", (_name, network) => {
  it.each([
    [80, 0.05],
    [70, 0.05],
    [60, 0.1],
  ])(
    "has a timeout near its true %d%% quantile, by which as many circuits are built (±%d)",
    (percent, error) => {
      const random = chance(percent);
      const estimator = new BuildTimeoutEstimator(paramsOf({ cbtquantile: percent }));
      buildCircuits(estimator, network, 1000, random);
      expect(Math.abs(estimator.limits(3).timeout / network(percent / 100) - 1)).toBeLessThan(0.1);
      const tooSlow = buildCircuits(estimator, network, 2000, random);
      expect(Math.abs(1 - tooSlow - percent / 100)).toBeLessThan(error);
      expect(estimator.learning).toBe(false);
    },
  );

  it("has nearly the same after a restart", () => {
    const random = chance(1);
    const params = buildTimeoutParams(undefined);
    const before = new BuildTimeoutEstimator(params);
    buildCircuits(before, network, 1500, random);
    const text = JSON.stringify(before.export());
    const after = new BuildTimeoutEstimator(params, parseBuildTimes(JSON.parse(text)));
    expect(Math.abs(after.limits(3).timeout / before.limits(3).timeout - 1)).toBeLessThan(0.05);
  });
});

it("a network that becomes five times slower is learned anew", () => {
  const random = chance(3);
  const estimator = new BuildTimeoutEstimator(buildTimeoutParams(undefined));
  buildCircuits(estimator, pareto(400, 6), 300, random);
  let built = 0;
  for (; !estimator.learning && built < 100; built++) buildCircuits(estimator, pareto(2000, 6), 1, random);
  expect(built).toBeGreaterThanOrEqual(18);
  expect(built).toBeLessThan(40);
  const slower = pareto(2000, 6);
  buildCircuits(estimator, slower, 1000, random);
  expect(Math.abs(estimator.limits(3).timeout / slower(0.8) - 1)).toBeLessThan(0.1);
});

it("a network whose circuits all take longer than the initial timeout is reached in the end", () => {
  const random = chance(4);
  const slow: Network = (q) => 200_000 + 50_000 * q;
  const estimator = new BuildTimeoutEstimator(buildTimeoutParams(undefined));
  expect(buildCircuits(estimator, slow, 36, random)).toBe(1);
  expect(buildCircuits(estimator, slow, 200, random)).toBeLessThan(0.5);
  expect(estimator.learning).toBe(false);
});
