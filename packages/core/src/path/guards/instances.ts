// Which of the separate samples is used when a setting excludes guards (guard-spec 2, B and C).

import type { NetDir, Relay } from "../../directory/api.ts";
import { isListedGuard } from "./guard.ts";
import { guardParams } from "./params.ts";

export type SampleName = "default" | "restricted";

/** How far the excluded part must pass the threshold before the sample in use is left for the other. */
const SLACK = 0.05;

/**
 * @param allowed what the setting leaves
 * @param previous the sample in use, which is kept when the allowed part is near the threshold
 * @returns which sample to use, and whether so little is allowed that people should be warned: it makes them stand out
 */
export function chooseSample(
  netdir: NetDir,
  allowed: (relay: Relay) => boolean,
  previous?: SampleName,
): { readonly name: SampleName; readonly isExtreme: boolean } {
  const guards = netdir.relays.filter(isListedGuard);
  const left = guards.filter(allowed).length;
  const params = guardParams(netdir);
  const meaningful = (guards.length * params.meaningfulRestrictionPercent) / 100;
  const isExtreme = left < Math.floor((guards.length * params.extremeRestrictionPercent) / 100);
  const slack = previous === undefined ? 0 : previous === "default" ? -SLACK : SLACK;
  const isEnough = left >= Math.floor(meaningful * (1 + slack));
  return { name: isEnough ? "default" : "restricted", isExtreme };
}
