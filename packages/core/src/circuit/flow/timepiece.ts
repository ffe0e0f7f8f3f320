// A clock as measurements need it: microseconds, how coarse its readings are, and when it was not to be trusted.
// Browsers round `performance.now()` to 1, 16 or 100 ms against fingerprinting, and some stop it while the device sleeps.

import type { Clock } from "../../base/ports.ts";

/** The coarsest clock that a browser has (Firefox with resistFingerprinting, formerly): microseconds. */
const COARSEST = 100_000;
/** Milliseconds by which wall clock and monotonic clock may drift apart before one of them counts as moved; both may be coarse. */
const TOLERATED_DRIFT = 250;

export class Timepiece {
  readonly #clock: Clock;
  #reading = 0;
  #grain = COARSEST;
  /** Wall clock less monotonic clock. */
  #offset: number | undefined;
  #breaks = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Microseconds from an arbitrary start; never goes back. */
  read(): number {
    const monotonic = this.#clock.monotonic();
    const reading = Math.round(monotonic * 1000);
    const step = reading - this.#reading;
    if (step > 0 && step < this.#grain) this.#grain = step;
    this.#reading = reading;
    const offset = this.#clock.now() - monotonic;
    this.#offset ??= offset;
    if (Math.abs(offset - this.#offset) > TOLERATED_DRIFT) {
      this.#offset = offset;
      this.#breaks++;
    }
    return reading;
  }

  /** The smallest step between two readings so far, in microseconds: an interval is known no better than to that. */
  get grain(): number {
    return this.#grain;
  }

  /**
   * How often the monotonic clock stood still or jumped, as the wall clock tells. Somebody may have set the wall clock
   * instead, which costs no more than the measurements under way.
   */
  get breaks(): number {
    return this.#breaks;
  }
}
