// What bridges do to guards. A bridge may withhold, never choose: it can refuse, stall or cut off every guard but its own
// until the client settles on that one. So what fails through one bridge is not held against the guard, few guards are
// tried in a day, and a bridge through which too many fail is reported and left. Guards are named by RSA identity in hex.

import type { Clock } from "../base/ports.ts";

/** A bridge through which more guards failed than chance explains. */
export interface BridgeSuspicion {
  /** As the dialer names it. */
  readonly bridge: string;
  readonly tried: number;
  readonly failed: number;
}

/** How guards fared through a bridge within a day. */
export interface BridgeUse extends BridgeSuspicion {
  /** Whether more failed than chance explains. */
  readonly suspected: boolean;
}

export interface BridgeWatchOptions {
  readonly clock: Clock;
  /** How many there are; one unless told otherwise. */
  readonly bridges?: number | undefined;
  /** A bridge fell under suspicion, once a day at the most. */
  readonly onSuspicion: (suspicion: BridgeSuspicion) => void;
}

const DAY = 86_400_000;
/**
 * Guards tried in a day. Whoever has 5 % of all guards is among 8 with a chance of one in three; the eight are the first of
 * the sample, so that tomorrow's are the same.
 */
const GUARDS_A_DAY = 8;
/** Guards whose bridge is remembered: more than a sample holds. */
const MAX_CARRIERS = 256;
/** A bridge is judged from this many guards on. */
const LEAST_TRIED = 5;
const MOST_FAILED = 1 / 5;

/** Milliseconds before a guard that failed is tried again, doubled with each failure. */
const FIRST_WAIT = 30_000;
const LONGEST_WAIT = 600_000;

interface Guard {
  since: number;
  /** Bridges through which it failed since it was last reached. */
  readonly failedThrough: Set<string>;
  failures: number;
  retryAt: number;
}

interface Bridge {
  since: number;
  readonly tried: Set<string>;
  readonly failed: Set<string>;
  suspected: boolean;
}

export class BridgeWatch {
  readonly #options: BridgeWatchOptions;
  /** Those tried through bridges within a day. */
  readonly #guards = new Map<string, Guard>();
  readonly #bridges = new Map<string, Bridge>();
  /** Through which bridge each guard was last reached; for as long as it may be in use, and over `forgetGuards`: links stay. */
  readonly #carriers = new Map<string, string>();

  constructor(options: BridgeWatchOptions) {
    this.#options = options;
  }

  /** A guard is about to be tried: were it through a bridge, it is one of those that are counted. */
  begun(guard: string): void {
    if (this.#bridges.size + this.#carriers.size === 0) return;
    const entry = this.#guard(guard);
    // One in use stays among the day's eight: it must be usable whatever else is tried, and none is tried on top of them.
    if (entry.failedThrough.size === 0) entry.since = this.#now();
  }

  /** A guard proved its identity; the last of these bridges carried it there, none when it was dialled without. */
  reached(guard: string, through: ReadonlySet<string>): void {
    const carrier = [...through].at(-1);
    this.#carriers.delete(guard);
    if (carrier === undefined) return;
    this.#carriers.set(guard, carrier);
    const oldest = this.#carriers.keys().next().value;
    if (this.#carriers.size > MAX_CARRIERS && oldest !== undefined) this.#carriers.delete(oldest);
    const bridge = this.#bridge(carrier);
    bridge.tried.add(guard);
    bridge.failed.delete(guard);
    forgive(this.#guard(guard));
  }

  /** A guard could not be reached, or what came was not its. */
  failed(guard: string, through: ReadonlySet<string>): void {
    if (through.size === 0) return;
    const entry = this.#guard(guard);
    for (const name of through) {
      const bridge = this.#bridge(name);
      bridge.tried.add(guard);
      bridge.failed.add(guard);
      entry.failedThrough.add(name);
      this.#judge(name, bridge);
    }
    entry.failures++;
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (entry.failures - 1));
    entry.retryAt = this.#now() + wait;
  }

  /** A guard that was reached fell silent before it did anything: whoever carried its bytes can do that as well. */
  cutOff(guard: string): void {
    const carrier = this.#carriers.get(guard);
    if (carrier !== undefined) this.failed(guard, new Set([carrier]));
  }

  /** Whether it was reached through a bridge, which may do with its bytes what it likes but read or change them. */
  isBehindBridge(guard: string): boolean {
    return this.#carriers.has(guard);
  }

  /** Whether its failures count against the guard: no bridge was between, or a second one agrees. */
  isToBlame(guard: string): boolean {
    return this.#guards.get(guard)?.failedThrough.size !== 1;
  }

  /** Whether the guard failed so lately that another one is tried before it; not before each bridge had its try. */
  isHeldBack(guard: string): boolean {
    const entry = this.#guards.get(guard);
    const { bridges = 1 } = this.#options;
    return entry !== undefined && entry.failedThrough.size >= bridges && entry.retryAt > this.#now();
  }

  /**
   * The device is on another network: what failed on the last is worth a try, and is no second bridge's word on this one.
   * What bridges are suspected of stays: the network between a bridge and guards is the same, and one that would steer must
   * not be cleared by a device that moves about.
   */
  networkChanged(): void {
    for (const entry of this.#guards.values()) forgive(entry);
  }

  /** A person chose other guards: those of before are not counted any more. */
  forgetGuards(): void {
    this.#guards.clear();
  }

  /** Whether it may be tried today: it was already, or few were. Nothing is bounded without bridges. */
  mayTry(guard: string): boolean {
    this.#forget();
    return this.#guards.has(guard) || this.#guards.size < GUARDS_A_DAY;
  }

  /** Bridges that should not carry the next try: those through which it failed, and those under suspicion. */
  avoid(guard: string): ReadonlySet<string> {
    this.#forget();
    const avoid = new Set(this.#guards.get(guard)?.failedThrough);
    for (const [name, { suspected }] of this.#bridges) if (suspected) avoid.add(name);
    return avoid;
  }

  /** The bridges that guards were tried through within a day. */
  list(): BridgeUse[] {
    this.#forget();
    return [...this.#bridges].map(([bridge, { tried, failed, suspected }]) => ({
      ...{ bridge, tried: tried.size, failed: failed.size, suspected },
    }));
  }

  #judge(name: string, bridge: Bridge): void {
    const { tried, failed } = bridge;
    if (bridge.suspected || tried.size < LEAST_TRIED || failed.size <= tried.size * MOST_FAILED) return;
    bridge.suspected = true;
    // It is left for a day from now on.
    bridge.since = this.#now();
    this.#options.onSuspicion({ bridge: name, tried: tried.size, failed: failed.size });
  }

  #guard(guard: string): Guard {
    this.#forget();
    const known = this.#guards.get(guard);
    if (known !== undefined) return known;
    const entry: Guard = { since: this.#now(), failedThrough: new Set(), failures: 0, retryAt: 0 };
    this.#guards.set(guard, entry);
    return entry;
  }

  #bridge(name: string): Bridge {
    const known = this.#bridges.get(name);
    if (known !== undefined) return known;
    const bridge: Bridge = { since: this.#now(), tried: new Set(), failed: new Set(), suspected: false };
    this.#bridges.set(name, bridge);
    return bridge;
  }

  /** A day is over for a guard when it was first tried, or was last in use, that long ago; for a bridge likewise. */
  #forget(): void {
    const now = this.#now();
    for (const [guard, { since }] of this.#guards) if (now - since >= DAY) this.#guards.delete(guard);
    for (const [name, { since }] of this.#bridges) if (now - since >= DAY) this.#bridges.delete(name);
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

/** Nothing that failed before is held against it; when it may be tried again needs no clearing, for no bridge is named. */
function forgive(entry: Guard): void {
  entry.failedThrough.clear();
  entry.failures = 0;
}
