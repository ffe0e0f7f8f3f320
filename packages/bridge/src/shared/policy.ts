// Which destinations a bridge dials: ORPorts of relays in the consensuses it verified lately, and the network's
// fallbacks. Everything else is refused, and so is everything once the newest consensus is stale.
// Specified in docs/protocol/bridge.md ("Destinations").

import { formatSocketAddress, isInternalIp, type NetworkConfig, type RelayAddress } from "@allium/core";

/** Consensuses whose relays stay allowed together: a client may hold an older live one than the bridge does. */
const CONSENSUSES_KEPT = 3;
/** No relay list older than this is used (fail closed), in milliseconds after valid-until. */
export const STALE_AFTER = 24 * 3600_000;

/** What a policy needs of a verified consensus. */
export interface RelayList {
  /** Milliseconds since the epoch. */
  readonly validAfter: number;
  readonly validUntil: number;
  /** Canonical "ip:port" of every Running and Valid relay. */
  orPorts(): ReadonlySet<string>;
}

export type Verdict = "allowed" | "internal-address" | "not-a-relay" | "no-consensus";

/** Decides on destinations. Holds no client's data. */
export class DestinationPolicy {
  readonly #fallbacks: ReadonlySet<string>;
  readonly #allowPrivate: boolean;
  #lists: RelayList[] = [];

  constructor(network: NetworkConfig) {
    this.#fallbacks = new Set(network.fallbacks.flatMap((fallback) => fallback.orPorts));
    this.#allowPrivate = network.allowPrivateAddresses ?? false;
  }

  /** Adds a newly verified consensus and forgets the oldest. */
  add(list: RelayList): void {
    const others = this.#lists.filter((held) => held.validAfter !== list.validAfter);
    this.#lists = [...others, list].sort((a, b) => b.validAfter - a.validAfter).slice(0, CONSENSUSES_KEPT);
  }

  /** Whether a live relay list is held at `now` (milliseconds since the epoch). */
  isReady(now: number): boolean {
    return this.#live(now).length > 0;
  }

  /** Number of distinct destinations allowed at `now`, fallbacks included. */
  size(now: number): number {
    const all = new Set(this.#fallbacks);
    for (const list of this.#live(now)) for (const orPort of list.orPorts()) all.add(orPort);
    return all.size;
  }

  judge(destination: RelayAddress, now: number): Verdict {
    if (!this.#allowPrivate && isInternalIp(destination.address)) return "internal-address";
    const text = formatSocketAddress(destination);
    if (this.#fallbacks.has(text)) return "allowed";
    const live = this.#live(now);
    if (live.length === 0) return "no-consensus";
    return live.some((list) => list.orPorts().has(text)) ? "allowed" : "not-a-relay";
  }

  #live(now: number): RelayList[] {
    return this.#lists.filter((list) => now <= list.validUntil + STALE_AFTER);
  }
}
