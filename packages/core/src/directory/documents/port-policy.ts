// Exit policy summaries, "accept 80,443,1000-2000" (dir-spec 3.8.2 and 3.4.1 "p").

import type { PortPolicy } from "../api.ts";
import { badDocument } from "./tokenizer.ts";

/** dir-spec 3.8.2: a summary has at most 1000 characters; twice that leaves room, and bounds the work. */
const MAX_SUMMARY = 2000;

/** Ranges in ascending order, first and last port in turn. */
class RangePolicy implements PortPolicy {
  readonly #accept: boolean;
  readonly #bounds: Uint16Array;
  readonly rejectsAll: boolean;

  constructor(accept: boolean, bounds: Uint16Array) {
    this.#accept = accept;
    this.#bounds = bounds;
    this.rejectsAll = !accept && bounds.length === 2 && bounds[0] === 1 && bounds[1] === 65535;
  }

  allows(port: number): boolean {
    if (!Number.isInteger(port) || port < 1 || port > 65535) return false;
    for (let i = 0; i < this.#bounds.length; i += 2) {
      if (port <= (this.#bounds[i + 1] as number)) {
        return port >= (this.#bounds[i] as number) ? this.#accept : !this.#accept;
      }
    }
    return !this.#accept;
  }
}

/** What a missing "p" or "p6" line means (dir-spec 3.3). */
export const rejectAll: PortPolicy = new RangePolicy(false, Uint16Array.of(1, 65535));

/** Parses a summary: `accept` or `reject`, a space, ascending ports and ranges that do not overlap. */
export function parsePortPolicy(text: string): PortPolicy {
  const match = /^(accept|reject)[ \t]+([0-9,-]+)$/.exec(text.length > MAX_SUMMARY ? "" : text);
  if (match === null) throw badDocument("malformed exit policy summary");
  const bounds: number[] = [];
  let last = 0;
  for (const entry of (match[2] as string).split(",")) {
    const range = /^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/.exec(entry);
    const low = Number(range?.[1]);
    const high = Number(range?.[2] ?? range?.[1]);
    if (range === null || low <= last || high < low || high > 65535) {
      throw badDocument("an exit policy summary's ports are malformed or out of order");
    }
    bounds.push(low, high);
    last = high;
  }
  return new RangePolicy(match[1] === "accept", Uint16Array.from(bounds));
}
