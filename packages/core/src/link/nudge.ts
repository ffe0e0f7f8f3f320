// A cell of padding where an acknowledgement would come late. C tor's relays leave Nagle's algorithm on (RFC 896): what is
// less than a segment, as a SENDME is, waits for the acknowledgement of the one before. The kernel at our end, the bridge's
// where there is one, holds that back for 40 ms when we have nothing to send (RFC 1122 4.2.3.2), and neither a browser nor
// Node can tell it not to. So where a busy link falls silent behind something that came, we send something: between relays
// of one machine that makes downloads with congestion control three times as fast, and uploads in fixed windows 1.8 times.

import type { Clock, Timer } from "../base/ports.ts";

/** Milliseconds without anything sent or received: what is held back is for 40, and what flows comes more often. */
const SILENCE = 1;
/** Bytes in either direction that pay for a nudge: on a busy link only, and 3 % more at the most. */
const PRICE = 32 * 514;
/** What is saved up at the most: windows that open bit by bit need some nudges in a row. */
const SAVINGS = 8 * PRICE;

export class Nudge {
  readonly #clock: Clock;
  readonly #send: () => void;
  #saved = 0;
  #timer: Timer | undefined;

  /** @param send sends one PADDING cell (tor-spec 7.2), which relays drop */
  constructor(clock: Clock, send: () => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Bytes came. @param answered whether bytes of ours are about to leave */
  received(bytes: number, answered: boolean): void {
    this.#save(bytes);
    this.stop();
    if (answered || this.#saved < PRICE) return;
    const timer = this.#clock.timer(SILENCE);
    this.#timer = timer;
    timer.fired.then(() => {
      if (this.#timer !== timer) return;
      this.#timer = undefined;
      this.#saved -= PRICE;
      this.#send();
    });
  }

  /** Bytes leave, and the acknowledgement with them. */
  sent(bytes: number): void {
    this.#save(bytes);
    this.stop();
  }

  #save(bytes: number): void {
    this.#saved = Math.min(this.#saved + bytes, SAVINGS);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
