// Notices that a device slept or that its clock was set: the wall clock and the time since the start part company, or a timer
// comes far too late. What was built before then is of little use afterwards.

import type { Clock, Timer } from "../base/ports.ts";

const INTERVAL = 30_000;
/** C tor's NUM_JUMPED_SECONDS_BEFORE_WARN and its like: 100 s. */
const JUMP = 100_000;

export class ClockWatch {
  readonly #clock: Clock;
  readonly #onTick: () => void;
  readonly #onJump: (ms: number) => void;
  #timer: Timer | undefined;
  #stopped = false;
  /** Both clocks as they stood when the wait began. */
  #wall = 0;
  #ran = 0;

  /** @param onTick every half a minute; `onJump`: the time that was lost or gained, in milliseconds */
  constructor(clock: Clock, onTick: () => void, onJump: (ms: number) => void) {
    this.#clock = clock;
    this.#onTick = onTick;
    this.#onJump = onJump;
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Looks before it is time to: the timer of a page that was frozen may come later than what uses the client. */
  look(): void {
    if (this.#stopped) return;
    const passed = this.#clock.monotonic() - this.#ran;
    const late = passed - INTERVAL;
    const moved = this.#clock.now() - this.#wall - passed;
    if (Math.abs(moved) < JUMP && late < JUMP) return;
    this.#note();
    this.#onJump(Math.abs(moved) >= JUMP ? moved : late);
  }

  #wait(): void {
    this.#note();
    this.#timer = this.#clock.timer(INTERVAL);
    this.#timer.fired.then(() => {
      if (this.#stopped) return;
      this.look();
      this.#onTick();
      if (!this.#stopped) this.#wait();
    });
  }

  #note(): void {
    this.#wall = this.#clock.now();
    this.#ran = this.#clock.monotonic();
  }
}
