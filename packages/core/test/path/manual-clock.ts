import type { Clock, Timer } from "../../src/base/ports.ts";

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  #now = Date.UTC(2026, 0, 1);
  #timers = new Set<{ at: number; fire: () => void }>();
  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }
  now(): number {
    return this.#now;
  }
  monotonic(): number {
    return this.#now;
  }
  timer(ms: number): Timer {
    let fire!: () => void;
    const fired = new Promise<void>((resolve) => {
      fire = resolve;
    });
    const entry = { at: this.#now + ms, fire };
    this.#timers.add(entry);
    return { fired, cancel: () => this.#timers.delete(entry) };
  }
  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.at - b.at)) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(timer);
      timer.fire();
    }
  }
}
