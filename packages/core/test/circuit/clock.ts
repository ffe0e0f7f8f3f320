// A clock that tests move by hand.

import type { Clock } from "../../src/base/ports.ts";

export interface ManualClock extends Clock {
  advance(ms: number): void;
}

export function manualClock(): ManualClock {
  let now = 1_000_000;
  const timers = new Set<{ at: number; fire: () => void }>();
  return {
    now: () => now,
    monotonic: () => now,
    timer(ms) {
      let fire = () => {};
      const fired = new Promise<void>((resolve) => {
        fire = resolve;
      });
      const timer = { at: now + ms, fire };
      timers.add(timer);
      return { fired, cancel: () => void timers.delete(timer) };
    },
    advance(ms) {
      now += ms;
      for (const timer of timers) {
        if (timer.at > now) continue;
        timers.delete(timer);
        timer.fire();
      }
    },
  };
}
