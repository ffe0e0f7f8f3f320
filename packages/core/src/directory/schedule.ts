// When a repeated piece of work is due: at a time that its success names, and after failures later and later (dir-spec 5.5).

import { type RetryPolicy, retryDelay } from "../base/backoff.ts";

/** When something is due, milliseconds since the epoch. */
export class Schedule {
  at: number;
  #failures = 0;
  #delay = 0;

  constructor(at: number) {
    this.at = at;
  }

  succeeded(next: number): void {
    this.at = next;
    this.#failures = 0;
    this.#delay = 0;
  }

  failed(now: number, policy: RetryPolicy): void {
    this.#delay = retryDelay(policy, ++this.#failures, this.#delay);
    this.at = now + this.#delay;
  }
}
