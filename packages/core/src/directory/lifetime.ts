// When a consensus may be used and when the next one is fetched (dir-spec 5.1).

import { TorError } from "../base/errors.ts";
import { randomUnit } from "../base/random.ts";

/** The three times of a consensus, milliseconds since the epoch. */
export interface Lifetime {
  readonly validAfter: number;
  readonly freshUntil: number;
  readonly validUntil: number;
}

/** C tor's "reasonably live": a day before valid-after and after valid-until (dir-spec 5.1, REASONABLY_LIVE_TIME). */
const MAX_CONSENSUS_TOLERANCE = 24 * 3600_000;

/**
 * A network whose consensuses live shorter than the public one's 3 hours tolerates less: 8 lifetimes, which for
 * 3 hours is the day that C tor has. A private network with 10 minutes gets 80. C tor keeps the day even there, which
 * would let a bridge replay a consensus 144 lifetimes old.
 */
const TOLERATED_LIFETIMES = 8;

/** Milliseconds that our clock may be outside of a consensus's validity. */
function consensusTolerance({ validAfter, validUntil }: Lifetime): number {
  return Math.min(MAX_CONSENSUS_TOLERANCE, TOLERATED_LIFETIMES * (validUntil - validAfter));
}

/** @throws TorError `directory-expired` or `clock-skew` when the consensus is outside of its validity by more than is tolerated. */
export function requireCurrent(lifetime: Lifetime, now: number): void {
  const tolerance = consensusTolerance(lifetime);
  if (now > lifetime.validUntil + tolerance) {
    const hours = ((now - lifetime.validUntil) / 3600_000).toFixed(1);
    throw new TorError(
      "directory-expired",
      "ALLIUM_E_CONSENSUS_EXPIRED",
      `the consensus expired ${hours} hours ago (or this device's clock is ahead)`,
    );
  }
  if (now < lifetime.validAfter - tolerance) {
    const hours = ((lifetime.validAfter - now) / 3600_000).toFixed(1);
    throw new TorError(
      "clock-skew",
      "ALLIUM_E_CONSENSUS_FROM_FUTURE",
      `the consensus becomes valid in ${hours} hours: this device's clock is behind`,
    );
  }
}

/** Whether `requireCurrent` has nothing to say. */
export function isCurrent(lifetime: Lifetime, now: number): boolean {
  const tolerance = consensusTolerance(lifetime);
  return lifetime.validAfter - tolerance <= now && now <= lifetime.validUntil + tolerance;
}

/** Whether a consensus is valid now, with no tolerance. */
export function isLive(lifetime: Lifetime, now: number): boolean {
  return lifetime.validAfter <= now && now <= lifetime.validUntil;
}

/**
 * When to fetch the next consensus: at random between 3/4 of an interval after this one is no longer fresh and 7/8 of
 * what remains then of its validity (dir-spec 5.1). Milliseconds since the epoch.
 */
export function nextFetchTime({ validAfter, freshUntil, validUntil }: Lifetime): number {
  const interval = freshUntil - validAfter;
  // A network whose consensuses expire within that time is asked in the middle between fresh and expired.
  const start = Math.min(freshUntil + 0.75 * interval, (freshUntil + validUntil) / 2);
  return Math.floor(start + randomUnit() * (validUntil - start) * 0.875);
}

/**
 * When a cache fetches the next consensus, and a bridge that must know relays before its clients do: at random in the
 * half interval that begins a moment after this one is no longer fresh (C tor's CONSENSUS_MIN_SECONDS_BEFORE_CACHING).
 */
export function nextEarlyFetchTime({ validAfter, freshUntil }: Lifetime): number {
  const interval = freshUntil - validAfter;
  return Math.floor(freshUntil + Math.min(120_000, interval / 16) + (randomUnit() * interval) / 2);
}

/** C tor's If-Modified-Since: a consensus that is at least this much newer than ours is wanted. */
export function modifiedSince({ validAfter, freshUntil }: Lifetime): number {
  return validAfter + Math.min(180_000, (freshUntil - validAfter) / 2);
}
