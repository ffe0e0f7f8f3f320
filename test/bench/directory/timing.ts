// How long work takes, and how long its longest piece keeps the thread from everybody else.

import { median } from "../statistics.ts";

/** Calls back in a later turn of the event loop, as soon as there is one. */
export type Later = (callback: () => void) => void;

/** Of this many, after one that does not count, the median. */
const REPEATS = 5;
/** Milliseconds. */
const SETTLING = 200;

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Milliseconds, with code and caches warm. */
export async function warmMs(work: () => unknown): Promise<number> {
  await work();
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) times.push(await timed(work));
  return median(times);
}

/**
 * Milliseconds of the longest piece that nothing else could come between; it is looked for with turns of its own, and the
 * time that all of it takes is another.
 */
export async function longestPiece(work: () => unknown, later: Later): Promise<number> {
  let [last, longest, isOver] = [performance.now(), 0, false];
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) later(turn);
  };
  later(turn);
  await work();
  isOver = true;
  // What came last may have ended in the turn in which it began.
  return Math.max(longest, performance.now() - last);
}

/** The same with code and caches warm. */
export async function warmLongestPiece(work: () => unknown, later: Later): Promise<number> {
  const pieces: number[] = [];
  for (let i = 0; i < REPEATS; i++) pieces.push(await longestPiece(work, later));
  return median(pieces);
}

/** Collects garbage, and what is freed in later turns because of it. @returns what `used` says then */
export async function collected(used: () => number): Promise<number> {
  for (let i = 0; i < 2; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, SETTLING));
  }
  return used();
}
