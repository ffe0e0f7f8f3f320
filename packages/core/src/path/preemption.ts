// Circuits built ahead of need (path-spec 2.1.1): two for each port that was used of late, and some to learn how long
// building takes (2.4). A look each second, and one circuit a look, as in C tor, so that they are not begun together.

import type { Clock, Timer } from "../base/ports.ts";
import type { ExitTarget } from "./select.ts";

/** What is needed of the pool of circuits. */
export interface SparePool {
  unused(target?: ExitTarget): number;
  prepare(target: ExitTarget): Promise<void>;
}

export interface PreemptionOptions {
  readonly clock: Clock;
  readonly pool: SparePool;
  /** Milliseconds for which a port is expected to be used again; drawn anew when nothing is expected any more. */
  readonly relevance: () => number;
  /** Circuits whose building is timed: milliseconds between two, and how many unused ones may be open; undefined for none. */
  readonly tests: () => { readonly interval: number; readonly maxOpen: number } | undefined;
}

const LOOK_INTERVAL = 1000;
/** C tor's MIN_CIRCUITS_HANDLING_STREAM and MAX_UNUSED_OPEN_CIRCUITS. */
const WANTED = 2;
const MAX_UNUSED = 14;
/** C tor expects it from the start. */
export const WEB: ExitTarget = { port: 443, family: 4 };
/** Ports remembered; a page that asks for each of 65,535 wants none of them again. */
const MAX_PORTS = 16;
/** Looks that are left out after a failure, doubled with each. */
const MAX_SKIPPED = 64;

interface Port {
  readonly target: ExitTarget;
  usedAt: number;
}

export class Preemption {
  readonly #options: PreemptionOptions;
  readonly #ports = new Map<string, Port>();
  #relevance = 0;
  #lastTest = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #skip = 0;
  #timer: Timer | undefined;
  #stopped = true;

  constructor(options: PreemptionOptions) {
    this.#options = options;
  }

  /** Begins to look. Idempotent. */
  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    if (this.#ports.size === 0) this.note(WEB);
    this.#wait();
  }

  /** Builds nothing any more until `start`. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** A request for this port was made: more like it are expected. */
  note(target: ExitTarget): void {
    const key = `${target.family}:${target.port}`;
    const usedAt = this.#options.clock.monotonic();
    if (this.#ports.size === 0) this.#relevance = this.#options.relevance();
    this.#ports.delete(key);
    this.#ports.set(key, { target, usedAt });
    const oldest = this.#ports.keys().next().value;
    if (this.#ports.size > MAX_PORTS && oldest !== undefined) this.#ports.delete(oldest);
    this.#wait();
  }

  /** Sleeps when nothing is expected: `note` wakes it. */
  #wait(): void {
    if (this.#stopped || this.#timer !== undefined || this.#ports.size === 0) return;
    const timer = this.#options.clock.timer(LOOK_INTERVAL);
    this.#timer = timer;
    timer.fired.then(() => {
      this.#timer = undefined;
      this.#look();
      this.#wait();
    });
  }

  #look(): void {
    const now = this.#options.clock.monotonic();
    for (const [key, { usedAt }] of this.#ports) if (now - usedAt > this.#relevance) this.#ports.delete(key);
    if (this.#skip > 0) this.#skip--;
    else if (this.#options.pool.unused() < MAX_UNUSED) this.#build(this.#wanted(now));
  }

  #wanted(now: number): ExitTarget | undefined {
    const { pool, tests } = this.#options;
    const targets = [...this.#ports.values()].map(({ target }) => target);
    const scarce = targets.find((target) => pool.unused(target) < WANTED);
    if (scarce !== undefined) return scarce;
    const test = tests();
    if (test === undefined || targets.length === 0 || pool.unused() >= test.maxOpen) return undefined;
    if (now - this.#lastTest < test.interval) return undefined;
    this.#lastTest = now;
    return targets.at(-1);
  }

  #build(target: ExitTarget | undefined): void {
    if (target === undefined) return;
    this.#options.pool.prepare(target).then(
      () => {
        this.#failures = 0;
      },
      () => {
        this.#failures++;
        this.#skip = Math.min(MAX_SKIPPED, 2 ** this.#failures);
      },
    );
  }
}
