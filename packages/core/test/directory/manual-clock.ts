// A clock that moves when told to, or by itself as soon as everybody waits.

import type { Clock, Timer } from "../../src/base/ports.ts";

/** How often the clock looks for somebody who waits before it takes it that nobody will. */
const PATIENCE = 25;

export class TestClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ at: number; fire: () => void }>();

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  timer(ms: number): Timer {
    let fire: () => void = () => {};
    const fired = new Promise<void>((resolve) => {
      fire = resolve;
    });
    const entry = { at: this.#now + Math.max(0, ms), fire };
    this.#timers.add(entry);
    return { fired, cancel: () => this.#timers.delete(entry) };
  }

  set(now: number): void {
    this.#now = now;
  }

  get waiting(): number {
    return this.#timers.size;
  }

  /** Moves to the next timer and fires it. */
  step(): void {
    const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
    if (next === undefined) return;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.fire();
  }

  /** Lets time pass, timer by timer, until `done` settles. Work that needs no time is always let finish first. */
  async run<T>(done: Promise<T>): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    done.then(mark, mark);
    while (!settled) {
      await idle();
      if (!settled) this.step();
    }
    return done;
  }

  /** Lets `ms` of time pass. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let quiet = 0; quiet < PATIENCE; ) {
      await idle();
      const next = Math.min(...[...this.#timers].map(({ at }) => at));
      // Where nobody waits for a time somebody may still be at work, who will: time must not pass meanwhile.
      if (next === Number.POSITIVE_INFINITY) quiet++;
      else if (next > end) break;
      else {
        quiet = 0;
        this.step();
      }
    }
    this.#now = Math.max(this.#now, end);
  }
}

/** Long enough for streams of the platform (inflating) and for work that gives way (base/turn.ts) to come to rest. */
async function idle(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
    await crypto.subtle.digest("SHA-256", new Uint8Array(0));
  }
}
