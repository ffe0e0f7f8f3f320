// A Clock that moves only when told to, so that hours pass in a test at once.

import type { Clock, Timer } from "../base/ports.ts";

interface Pending {
  readonly at: number;
  readonly fire: () => void;
}

export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;
  readonly #pending = new Set<Pending>();

  /** @param now milliseconds since the epoch at which the clock stands */
  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  timer(ms: number): Timer {
    let fire!: () => void;
    const fired = new Promise<void>((resolve) => {
      fire = resolve;
    });
    const pending = { at: this.#monotonic + Math.max(0, ms), fire };
    this.#pending.add(pending);
    return { fired, cancel: () => void this.#pending.delete(pending) };
  }

  /** Timers that have neither fired nor been cancelled. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Lets `ms` milliseconds pass, firing timers in the order of their times. What they wake runs afterwards. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    const due = [...this.#pending].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
    for (const pending of due) {
      this.#pending.delete(pending);
      pending.fire();
    }
    this.#now += ms;
    this.#monotonic = end;
  }

  /** Sets the wall clock, as a user or NTP does: no time passes and no timer fires. */
  set(now: number): void {
    this.#now = now;
  }
}
