// Whether enough microdescriptors are at hand for paths to be chosen (path-spec 2.1.0): a directory cache that withholds
// some must not decide which relays are left to choose from.

import { toHex } from "../base/encoding.ts";
import type { ListedRelay, NetDir } from "../directory/api.ts";
import { isExit } from "./select.ts";
import { type Position, RelayWeights } from "./weights.ts";

/** param-spec "min_paths_for_circs_pct": part of all paths, in percent, that must be possible. */
const MIN_PATHS = { fallback: 60, min: 25, max: 95 };

interface Part {
  readonly name: string;
  readonly position: Position;
  readonly flag?: "Guard" | "Exit";
}

const PARTS: readonly Part[] = [
  { name: "guards", position: "guard", flag: "Guard" },
  { name: "middles", position: "middle" },
  { name: "exits", position: "exit", flag: "Exit" },
];

/**
 * What is lacking for paths to be chosen from this view, for people; undefined when nothing is.
 * @param guards RSA identities (upper-case hex) of the primary guards: each must be described
 */
export function shortageOf(netdir: NetDir, guards: ReadonlySet<string>): string | undefined {
  const missing = netdir.undescribed.filter(({ rsaId }) => guards.has(toHex(rsaId).toUpperCase())).length;
  if (missing > 0) return `${missing} of ${guards.size} primary guards are not described yet`;
  const weights = new RelayWeights(netdir);
  const fractions = PARTS.map((part) => describedFraction(netdir, weights, part));
  // Without any exit there are only paths inside the network, whose ends are as good as middles.
  const [guard = 0, middle = 0, exit = middle] = fractions;
  const paths = guard * middle * exit;
  const needed = netdir.param("min_paths_for_circs_pct", MIN_PATHS.fallback, MIN_PATHS.min, MIN_PATHS.max);
  if (paths * 100 >= needed) return undefined;
  const parts = PARTS.map(({ name }, i) => `${percent(fractions[i] ?? middle)} of ${name}`).join(", ");
  return `${parts} make ${percent(paths)} of all paths, and ${needed} % are needed`;
}

/** The part of a position's weight that is described, 0 to 1; undefined when no relay can take it. */
function describedFraction(
  netdir: NetDir,
  weights: RelayWeights,
  { position, flag }: Part,
): number | undefined {
  const fits = ({ flags }: ListedRelay) => flag === undefined || flags.has(flag);
  const described = netdir.relays.filter((relay) => fits(relay) && (flag !== "Exit" || isExit(relay)));
  const undescribed = netdir.undescribed.filter(fits);
  const total = (relays: readonly ListedRelay[]) =>
    relays.reduce((sum, relay) => sum + weights.weight(relay, position), 0);
  const [have, lack] = [total(described), total(undescribed)];
  if (have + lack > 0) return have / (have + lack);
  const count = described.length + undescribed.length;
  return count === 0 ? undefined : described.length / count;
}

function percent(fraction: number): string {
  return `${Math.floor(fraction * 100)} %`;
}
