// How many frames that lead nowhere a server may send (RFC 9113 10.5): a store that useful frames and time fill again.

import type { Clock } from "../../base/ports.ts";
import { floodError } from "./errors.ts";

const FULL = 1000;
/** Frames in a second that are always allowed. */
const RATE = 10;

export class FrameBudget {
  readonly #clock: Clock;
  #left = FULL;
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** A frame came that changes little. @throws TorError when there are too many of them */
  spend(what: string): void {
    const now = this.#clock.monotonic();
    this.earn(((now - this.#since) * RATE) / 1000);
    this.#since = now;
    if (--this.#left < 0) throw floodError(what);
  }

  /** Something useful happened for which a server may send so many frames. */
  earn(frames: number): void {
    this.#left = Math.min(FULL, this.#left + frames);
  }
}
