// Connection-level padding against netflow records (padding-spec 2): a link that carries anonymous circuits never falls
// silent for as long as routers take to close a flow's record.

import type { Clock, Timer } from "../base/ports.ts";
import { randomInt } from "../base/random.ts";

/** Milliseconds of silence after which a PADDING cell goes out; drawn anew each time. None is sent where both are 0. */
export interface PaddingRange {
  readonly low: number;
  readonly high: number;
}

/** PADDING_NEGOTIATE (tor-spec 7.2): version 0, STOP, no times. */
export const STOP_PADDING = Uint8Array.of(0, 1, 0, 0, 0, 0);

/** Link protocol from which PADDING_NEGOTIATE is understood, and relays pad. */
export const PADDING_LINK_PROTOCOL = 5;

export class ChannelPadding {
  readonly #clock: Clock;
  readonly #send: () => void;
  #range: PaddingRange = { low: 0, high: 0 };
  /** Monotonic time of the last cell in either direction, as in C tor, and whether there was one since the timer was set. */
  #active: number;
  #touched = false;
  #timer: Timer | undefined;

  /** @param send sends one PADDING cell, unless others wait to be sent */
  constructor(clock: Clock, send: () => void) {
    this.#clock = clock;
    this.#send = send;
    this.#active = clock.monotonic();
  }

  /** Pads from now on, or, with a range of zeros, no more. */
  use(range: PaddingRange): void {
    this.#range = range;
    if (range.high === 0) this.stop();
    else if (this.#timer === undefined) this.#arm(this.#draw());
  }

  /** Cells went either way. */
  touch(): void {
    this.#active = this.#clock.monotonic();
    this.#touched = true;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(ms: number): void {
    const timer = this.#clock.timer(ms);
    this.#timer = timer;
    this.#touched = false;
    timer.fired.then(() => {
      if (this.#timer !== timer) return;
      if (!this.#touched) {
        this.#send();
        this.touch();
      }
      // Counted from the last cell, not from when this timer happened to fire.
      this.#arm(Math.max(0, this.#active + this.#draw() - this.#clock.monotonic()));
    });
  }

  /** The larger of two uniform draws (padding-spec 2.3): as both ends do this, their sum comes out even. */
  #draw(): number {
    const { low, high } = this.#range;
    if (low >= high) return low;
    return low + Math.max(randomInt(high - low), randomInt(high - low));
  }
}
