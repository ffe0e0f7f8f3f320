// Token bucket: the rate that an XON told, and one second of it as a burst, as C tor has it (proposal 324 4.1.1).

import type { Timepiece } from "./timepiece.ts";

export class TokenBucket {
  readonly #timepiece: Timepiece;
  /** Bytes a second, and the most that the bucket holds; Infinity until the first limit. */
  #rate = Number.POSITIVE_INFINITY;
  #tokens = Number.POSITIVE_INFINITY;
  #refilledAt = 0;

  constructor(timepiece: Timepiece) {
    this.#timepiece = timepiece;
  }

  get isEmpty(): boolean {
    return this.#tokens <= 0;
  }

  /** @param rate bytes a second, or Infinity */
  setRate(rate: number): void {
    if (this.#rate === Number.POSITIVE_INFINITY) this.#refilledAt = this.#timepiece.read();
    else this.refill();
    this.#rate = rate;
    this.#tokens = rate === Number.POSITIVE_INFINITY ? rate : Math.min(this.#tokens, rate);
  }

  /** Takes `bytes`, of which the last may be owed. */
  take(bytes: number): void {
    this.#tokens -= bytes;
  }

  /** Puts in what the time since the last time brings. @param least microseconds of it, whatever the clock says */
  refill(least = 0): void {
    const now = this.#timepiece.read();
    const elapsed = Math.max(now - this.#refilledAt, least);
    this.#refilledAt = now;
    this.#tokens = Math.min(this.#rate, this.#tokens + (elapsed * this.#rate) / 1_000_000);
  }
}
