// How long a page's thread is busy at a time: what the browser reports as long tasks (50 ms and more), and gaps between turns of
// timers and frames, which show shorter ones.

import type { Responsiveness } from "./protocol.ts";

export class Watch {
  #observer: PerformanceObserver | undefined;
  #longestTask = 0;
  #longTasks = 0;
  #longestGap = 0;
  #longestFrame = 0;
  #running = false;

  start(): void {
    this.#longestTask = this.#longTasks = this.#longestGap = this.#longestFrame = 0;
    this.#running = true;
    this.#observer = new PerformanceObserver((list) => this.#take(list.getEntries()));
    this.#observer.observe({ type: "longtask" });
    this.#turn(performance.now());
    requestAnimationFrame((time) => this.#frame(time));
  }

  stop(): Responsiveness {
    this.#running = false;
    if (this.#observer !== undefined) this.#take(this.#observer.takeRecords());
    this.#observer?.disconnect();
    return {
      longestTask: this.#longestTask,
      longTasks: this.#longTasks,
      longestGap: this.#longestGap,
      longestFrame: this.#longestFrame,
    };
  }

  #take(entries: readonly PerformanceEntry[]): void {
    for (const { duration } of entries) {
      this.#longTasks++;
      this.#longestTask = Math.max(this.#longestTask, duration);
    }
  }

  /** A timer of 4 ms, below which browsers do not go. */
  #turn(last: number): void {
    setTimeout(() => {
      const now = performance.now();
      this.#longestGap = Math.max(this.#longestGap, now - last);
      if (this.#running) this.#turn(now);
    }, 4);
  }

  #frame(last: number): void {
    requestAnimationFrame((time) => {
      this.#longestFrame = Math.max(this.#longestFrame, time - last);
      if (this.#running) this.#frame(time);
    });
  }
}
