// How links are padded, by the user's choice and the consensus's parameters (padding-spec 2.5, 2.6).

import { randomInt } from "../base/random.ts";
import type { NetDir } from "../directory/api.ts";
import type { PaddingRange } from "../link/padding.ts";

/**
 * - `normal`: both ends pad
 * - `reduced`: only we do, less often, and links and unused circuits are kept half as long
 * - `off`: nobody does
 */
export type PaddingMode = "normal" | "reduced" | "off";

const NONE: PaddingRange = { low: 0, high: 0 };
/** param-spec: the largest value of all four times. */
const MAX = 60_000;

/** Whether links are padded before a stream is opened through them. */
export function padsBeforeUse(netdir: Pick<NetDir, "param">): boolean {
  return netdir.param("nf_pad_before_usage", 1, 0, 1) === 1;
}

/**
 * Milliseconds for which a circuit that was built ahead is kept while nobody uses it, drawn anew for each (C tor's
 * channelpadding_get_circuits_available_timeout): 30 to 60 minutes, or half of that.
 */
export function unusedCircuitLifetime(mode: PaddingMode, netdir: Pick<NetDir, "param">): number {
  const seconds = netdir.param("nf_conntimeout_clients", 30 * 60, 60, 24 * 60 * 60);
  const least = (seconds * 1000) / (mode === "reduced" ? 2 : 1);
  return least + randomInt(least);
}

/** When a link with circuits of more than one hop is padded by us. */
export function paddingRange(mode: PaddingMode, netdir: Pick<NetDir, "param">): PaddingRange {
  const low = netdir.param("nf_ito_low", 1500, 0, MAX);
  const high = netdir.param("nf_ito_high", 9500, low, MAX);
  if (mode === "off" || high === 0) return NONE;
  if (mode === "normal") return { low, high };
  const reducedLow = netdir.param("nf_ito_low_reduced", 9000, 0, MAX);
  const reducedHigh = netdir.param("nf_ito_high_reduced", 14_000, reducedLow, MAX);
  return { low: Math.max(low, reducedLow), high: Math.max(high, reducedHigh) };
}
