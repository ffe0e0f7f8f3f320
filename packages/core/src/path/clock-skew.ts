// How far this device's clock is off, by the clocks of relays that proved their identity (tor-spec 4.5). It explains
// failures and is told to people; it never moves a time that something is judged by.

import { TorError, type TorErrorKind } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";

/** A difference: relays' clock minus ours, in milliseconds, as the median of so many relays say. */
export interface ClockSkewEstimate {
  readonly skew: number;
  readonly relays: number;
}

/** C tor warns at an hour; less harms nothing. */
const NOTEWORTHY = 3_600_000;
/** What a relay said is of no use after that long. */
const OBSERVATION_LIFETIME = 3_600_000;
/** Relays remembered: a client meets its guards and some fallbacks. */
const MAX_RELAYS = 32;

/** What a wrong clock may look like. */
const EXPLAINED: ReadonlySet<TorErrorKind> = new Set([
  ...(["directory-expired", "clock-skew", "protocol-violation"] as const),
  // Certificates of tomorrow vouch for nothing.
  "consensus-unverified",
]);

export class ClockSkew {
  readonly #clock: Clock;
  readonly #said = new Map<string, { readonly skew: number; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param skew relay's clock minus ours in milliseconds, from its NETINFO after its CERTS */
  note(relay: string, skew: number): void {
    this.#said.delete(relay);
    this.#said.set(relay, { skew, at: this.#clock.monotonic() });
    const oldest = this.#said.keys().next().value;
    if (this.#said.size > MAX_RELAYS && oldest !== undefined) this.#said.delete(oldest);
  }

  /** Undefined while nothing is known, or the clock is right to an hour. One lying relay among three decides nothing. */
  get estimate(): ClockSkewEstimate | undefined {
    const now = this.#clock.monotonic();
    const said = [...this.#said.values()].filter(({ at }) => now - at < OBSERVATION_LIFETIME);
    const skews = said.map(({ skew }) => skew).sort((a, b) => Math.abs(a) - Math.abs(b));
    const skew = skews[Math.floor((skews.length - 1) / 2)];
    return skew === undefined || Math.abs(skew) < NOTEWORTHY ? undefined : { skew, relays: said.length };
  }

  /** The error as it is, or, where a wrong clock is the likely reason, one that says so. */
  explain(error: TorError): TorError {
    const { estimate } = this;
    if (estimate === undefined || !EXPLAINED.has(error.kind)) return error;
    return new TorError("clock-skew", "ALLIUM_E_CLOCK_WRONG", clockText(estimate), { cause: error });
  }
}

/** "this device's clock is 3.0 hours behind the clocks of 2 relays" */
export function clockText({ skew, relays }: ClockSkewEstimate): string {
  const hours = (Math.abs(skew) / 3_600_000).toFixed(1);
  const whose = relays === 1 ? "that of a relay" : `those of ${relays} relays`;
  return `this device's clock is ${hours} hours ${skew > 0 ? "behind" : "ahead of"} ${whose}: set it right`;
}
