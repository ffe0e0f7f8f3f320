// The most memory that processes have while something runs, looked at from outside: a page's own figures leave out what the browser
// holds for it.

import { residentBytes } from "../machine.ts";

/** Milliseconds between two looks. */
const INTERVAL = 5;

/** @returns what `work` gave, and bytes that the largest of the processes had before and at most */
export async function withPeak<T>(
  pids: readonly number[],
  work: () => Promise<T>,
): Promise<{ value: T; before: number; peak: number }> {
  // The browser keeps a spare process for the next page, which is smaller.
  const look = () => Math.max(0, ...pids.map((pid) => residentBytes([pid])));
  const before = look();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, look());
  }, INTERVAL);
  try {
    return { value: await work(), before, peak: Math.max(peak, look()) };
  } finally {
    clearInterval(timer);
  }
}
