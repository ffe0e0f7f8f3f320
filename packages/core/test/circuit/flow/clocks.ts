// Clocks that tests need besides ManualClock: rounded ones, and one that stands still.

import type { Clock, Timer } from "../../../src/base/ports.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";

/** Its monotonic clock and its wall clock show whole steps only, and the monotonic one can be stopped. */
export class CoarseClock implements Clock {
  readonly #inner = new ManualClock();
  readonly #grain: number;
  #stoppedAt: number | undefined;
  #lag = 0;

  /** @param grain milliseconds of a step */
  constructor(grain: number) {
    this.#grain = grain;
  }

  now(): number {
    return Math.floor(this.#inner.now() / this.#grain) * this.#grain;
  }

  monotonic(): number {
    const time = this.#stoppedAt ?? this.#inner.monotonic();
    return Math.floor((time - this.#lag) / this.#grain) * this.#grain;
  }

  timer(ms: number): Timer {
    return this.#inner.timer(ms);
  }

  get pendingTimers(): number {
    return this.#inner.pendingTimers;
  }

  advance(ms: number): void {
    this.#inner.advance(ms);
  }

  stop(): void {
    this.#stoppedAt = this.#inner.monotonic();
  }

  /** Goes on from where it stood. */
  resume(): void {
    this.#lag += this.#inner.monotonic() - (this.#stoppedAt ?? this.#inner.monotonic());
    this.#stoppedAt = undefined;
  }

  setWallClock(now: number): void {
    this.#inner.set(now);
  }
}
