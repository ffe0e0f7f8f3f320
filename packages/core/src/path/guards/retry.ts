// When a guard that cannot be reached is tried again (guard-spec 4.5, A.1 PRIMARY_GUARDS_RETRY_SCHED and
// GUARDS_RETRY_SCHED).

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Waits after the last try, by how long the guard has been failing. */
const SCHEDULE = [
  { failingFor: 6 * HOUR, primary: 10 * MINUTE, other: HOUR },
  { failingFor: 4 * DAY, primary: 90 * MINUTE, other: 4 * HOUR },
  { failingFor: 7 * DAY, primary: 4 * HOUR, other: 18 * HOUR },
  { failingFor: Number.POSITIVE_INFINITY, primary: 9 * HOUR, other: 36 * HOUR },
];

/**
 * Milliseconds from the last try to the next.
 * @param failingFor milliseconds since the first failure after the last success
 */
export function guardRetryDelay(failingFor: number, isPrimary: boolean): number {
  const row = SCHEDULE.find((one) => failingFor <= one.failingFor);
  return (isPrimary ? row?.primary : row?.other) ?? 0;
}
