// One guard of the sample: what is kept of it and what is known of it now (guard-spec 4.1, 4.3, 4.5).

import type { ListedRelay, Relay } from "../../directory/api.ts";
import { guardRetryDelay } from "./retry.ts";
import type { GuardRecord } from "./state.ts";

/** Whether a guard can be reached: "yes" and "no" as the last try said, "maybe" when it is worth a try. */
type Reachability = "yes" | "maybe" | "no";

/** What a path demands of its guard. A guard that does not meet it stays in the sample. */
export interface Restriction {
  allows(relay: Relay): boolean;
}

const FLAGS = ["Guard", "Fast", "Stable", "V2Dir", "Valid"] as const;

/** guard-spec 4.0: whether a relay belongs to GUARDS, be its microdescriptor at hand or not. */
export function isListedGuard({ flags }: Pick<ListedRelay, "flags">): boolean {
  return FLAGS.every((flag) => flags.has(flag)) && !flags.has("NoEdConsensus") && !flags.has("MiddleOnly");
}

export class Guard {
  /** What persists. */
  record: GuardRecord;
  /** In the newest view, if its microdescriptor is at hand. */
  relay: Relay | undefined;
  /** A member of FILTERED_GUARDS. */
  isFiltered = false;
  isPrimary = false;
  /** Whether an exploratory circuit is under way. */
  isPending = false;
  reachable: Reachability = "maybe";
  /** Monotonic time of the first failure since the last success. */
  failingSince: number | undefined;
  /** Monotonic time. */
  lastTried = Number.NEGATIVE_INFINITY;
  /** The percentage of complete circuits below which it was last warned of. */
  warnedBelow = Number.POSITIVE_INFINITY;

  constructor(record: GuardRecord) {
    this.record = record;
  }

  get isConfirmed(): boolean {
    return this.record.confirmed;
  }

  /** A member of USABLE_FILTERED_GUARDS. */
  get isUsable(): boolean {
    return this.isFiltered && this.reachable !== "no";
  }

  /** Whether a circuit of `restriction` may be built through it. */
  fits(restriction: Restriction | undefined): boolean {
    return this.relay !== undefined && (restriction === undefined || restriction.allows(this.relay));
  }

  /** Tries it again from now on. @returns whether that is news */
  retry(): boolean {
    if (this.reachable !== "no") return false;
    this.reachable = "maybe";
    return true;
  }

  /** The same, if its time has come. @param now monotonic */
  considerRetry(now: number): boolean {
    const wait = guardRetryDelay(now - (this.failingSince ?? now), this.isPrimary);
    return now >= this.lastTried + wait && this.retry();
  }
}

/** Whether we would rather use `a` than `b` when both can be reached (guard-spec 4.3). */
export function isPreferred(a: Guard, b: Guard): boolean {
  if (a.isConfirmed !== b.isConfirmed) return a.isConfirmed;
  if (a.isConfirmed) return (a.record.confirmed_index ?? 0) < (b.record.confirmed_index ?? 0);
  if (a.isPending !== b.isPending) return a.isPending;
  return a.isPending && a.lastTried < b.lastTried;
}
