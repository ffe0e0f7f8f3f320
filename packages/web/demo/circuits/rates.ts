// Throughput from the client's counts: of all circuits, of each one, and of each relay by the circuits that go through it.

import type { CircuitInfo, ClientStats, HopInfo, Traffic } from "@allium/core";

/** Bytes, counted, at a time. */
export interface Sample {
  /** Milliseconds of any clock that only grows. */
  readonly at: number;
  readonly total: Traffic;
  readonly circuits: ReadonlyMap<number, Traffic>;
}

/** Bytes per second. */
export interface Rates {
  readonly total: Traffic;
  readonly circuits: ReadonlyMap<number, Traffic>;
}

export interface RelayRate {
  readonly hop: HopInfo;
  /** Bytes per second, both ways. */
  readonly rate: number;
  /** How many circuits go through it. */
  readonly circuits: number;
}

const NOTHING: Traffic = { received: 0, sent: 0 };

export function sampleOf({ traffic }: ClientStats, at: number): Sample {
  const { received, sent, circuits } = traffic;
  return { at, total: { received, sent }, circuits: new Map(circuits.map((one) => [one.id, one])) };
}

/** What a circuit carried before it was first seen counts as of this moment. */
export function ratesOf(before: Sample, now: Sample): Rates {
  const seconds = (now.at - before.at) / 1000;
  const rate = (one: Traffic, other: Traffic): Traffic =>
    seconds > 0
      ? {
          received: Math.max(0, other.received - one.received) / seconds,
          sent: Math.max(0, other.sent - one.sent) / seconds,
        }
      : NOTHING;
  return {
    total: rate(before.total, now.total),
    circuits: new Map(
      [...now.circuits].map(([id, traffic]) => [id, rate(before.circuits.get(id) ?? NOTHING, traffic)]),
    ),
  };
}

/** Relays of open circuits by identity, in the order of the circuits. */
export function relayRates(
  circuits: readonly CircuitInfo[],
  rates: Rates["circuits"],
): ReadonlyMap<string, RelayRate> {
  const relays = new Map<string, RelayRate>();
  for (const { id, state, hops } of circuits) {
    if (state !== "open") continue;
    const { received, sent } = rates.get(id) ?? NOTHING;
    for (const hop of hops) {
      const { rate, circuits: count } = relays.get(hop.rsaId) ?? { rate: 0, circuits: 0 };
      relays.set(hop.rsaId, { hop, rate: rate + received + sent, circuits: count + 1 });
    }
  }
  return relays;
}
