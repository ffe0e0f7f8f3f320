// The Clock of ordinary runtimes: Date, performance and setTimeout.

import type { Clock, Timer } from "./ports.ts";

/** setTimeout fires at once for delays above 2^31-1 ms, so longer ones are cut here and waited for in pieces. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

function startTimer(ms: number): Timer {
  let id: ReturnType<typeof setTimeout> | undefined;
  const fired = new Promise<void>((resolve) => {
    const arm = (left: number) => {
      const step = Math.min(left, LONGEST_TIMEOUT);
      id = setTimeout(() => (left > step ? arm(left - step) : resolve()), step);
    };
    arm(Math.max(0, ms));
  });
  return { fired, cancel: () => clearTimeout(id) };
}

/** The real clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer: startTimer,
};
