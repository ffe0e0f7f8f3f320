// The last two minutes, second by second: of the whole client, and of each relay.

import type { Traffic } from "@allium/core";
import type { RelayRate } from "./rates.ts";

const KEPT = 120;

export class History {
  readonly #total: { readonly at: number; readonly rate: Traffic }[] = [];
  readonly #relays = new Map<string, { relay: RelayRate; readonly rates: number[] }>();

  /** A second has passed. */
  add(at: number, rate: Traffic, relays: ReadonlyMap<string, RelayRate>): void {
    this.#total.push({ at, rate });
    if (this.#total.length > KEPT) this.#total.shift();
    for (const [id, relay] of relays) {
      if (!this.#relays.has(id)) this.#relays.set(id, { relay, rates: [] });
    }
    for (const [id, entry] of this.#relays) {
      entry.relay = relays.get(id) ?? { ...entry.relay, rate: 0, circuits: 0 };
      entry.rates.push(entry.relay.rate);
      if (entry.rates.length > KEPT) entry.rates.shift();
      if (entry.relay.circuits === 0 && entry.rates.every((one) => one === 0)) this.#relays.delete(id);
    }
  }

  /** Seconds before `now`, bytes received and sent per second. */
  columns(now: number): [number[], number[], number[]] {
    return [
      this.#total.map(({ at }) => (at - now) / 1000),
      this.#total.map(({ rate }) => rate.received),
      this.#total.map(({ rate }) => rate.sent),
    ];
  }

  /** Those that carried most come first. */
  relays(): readonly { readonly relay: RelayRate; readonly rates: readonly number[] }[] {
    const sum = (rates: readonly number[]) => rates.reduce((total, rate) => total + rate, 0);
    return [...this.#relays.values()].sort((one, other) => sum(other.rates) - sum(one.rates));
  }
}

/** Points of an SVG polyline in a box of 120 by 24; the newest is at the right. */
export function sparkline(rates: readonly number[], most: number): string {
  const scale = most > 0 ? 22 / most : 0;
  return rates.map((rate, i) => `${KEPT - rates.length + i},${(23 - rate * scale).toFixed(1)}`).join(" ");
}
