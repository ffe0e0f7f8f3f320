// How much a page is given to do in one task. A reader that asks again at once would otherwise take a whole window in the
// microtasks of one, and the page would not draw meanwhile.

import { type Deferred, deferred } from "@allium/core/internal";

/** Bytes of all streams of a connection in one task, apart from the piece that goes beyond. */
const TURN_BYTES = 131_072;

export class Turn {
  #left = TURN_BYTES;
  #next: Deferred<void> | undefined;
  #ticks: MessageChannel | undefined;
  #over = false;

  /** A task has begun. */
  begin(): void {
    this.#left = TURN_BYTES;
  }

  /** Waits until the bytes may be handed over; returns undefined where that is now. */
  take(bytes: number): Promise<void> | undefined {
    if (this.#left <= 0 && !this.#over) return this.#wait(bytes);
    this.#left -= bytes;
    return undefined;
  }

  /** Holds nobody back any more. */
  end(): void {
    this.#over = true;
    this.#ticks?.port1.close();
    this.#next?.resolve();
  }

  /** Settles in another task, soon: by a message to ourselves, since a hidden page's timers run once a second or less. */
  nextTask(): Promise<void> {
    if (this.#over) return Promise.resolve();
    if (this.#next === undefined) {
      this.#next = deferred();
      this.#channel().port2.postMessage(undefined);
    }
    return this.#next.promise;
  }

  async #wait(bytes: number): Promise<void> {
    while (this.#left <= 0 && !this.#over) await this.nextTask();
    this.#left -= bytes;
  }

  #channel(): MessageChannel {
    if (this.#ticks === undefined) {
      this.#ticks = new MessageChannel();
      this.#ticks.port1.onmessage = () => {
        const next = this.#next;
        this.#next = undefined;
        this.begin();
        next?.resolve();
      };
    }
    return this.#ticks;
  }
}
