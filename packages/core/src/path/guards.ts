// The client's guards: few, kept across restarts, and come back to in their order (guard-spec 4, first form).
// Not here yet: the primary set, lifetimes, and holding a circuit back while a better guard may still answer.

import { formatSocketAddress } from "../base/address.ts";
import { type RetryPolicy, retryDelay } from "../base/backoff.ts";
import { fromHex, fromUtf8, toHex, utf8 } from "../base/encoding.ts";
import { TorError } from "../base/errors.ts";
import type { Clock, Log, Store } from "../base/ports.ts";
import type { NetDir, Relay } from "../directory/api.ts";
import {
  GUARD_STATE_VERSION,
  type GuardRecord,
  type GuardState,
  MAX_GUARDS,
  parseGuardState,
} from "./guard-state.ts";
import { type GuardSource, isPossibleGuard } from "./select.ts";

/** What path building needs of a guard algorithm. */
export interface GuardManager extends GuardSource {
  /** A circuit through this guard is complete. */
  succeeded(guard: Relay): void;
  /** No channel or no first hop could be made to this guard. */
  failed(guard: Relay): void;
}

/** What happened to a guard. */
export interface GuardEvent {
  readonly type: "sampled" | "confirmed" | "failed" | "removed";
  readonly nickname: string;
  readonly fingerprint: string;
}

export interface GuardOptions {
  readonly store: Store;
  /** Under which name the sample is stored; each network has its own. */
  readonly key: string;
  readonly clock: Clock;
  /** A relay to add to the sample, by weight. */
  readonly sample: (netdir: NetDir, allowed: (relay: Relay) => boolean) => Relay | undefined;
  readonly log?: Log | undefined;
  readonly onEvent?: ((event: GuardEvent) => void) | undefined;
}

const DAY = 86_400_000;

/**
 * Usable guards held at once. Whoever can make guards fail (the bridge, the local network) sees the client move on to
 * this many and no further: more would let him go on until one of his own is sampled.
 */
const USABLE_GUARDS = 3;

/** guard-spec A.1, REMOVE_UNLISTED_GUARDS_AFTER. */
const REMOVE_UNLISTED_AFTER = 20 * DAY;

/** guard-spec A.1, INTERNET_LIKELY_DOWN_INTERVAL: failures during a silence this long say nothing about the guards. */
const LIKELY_DOWN = 600_000;

/** How often a guard's last use is written down. */
const LAST_USED_STEP = 3_600_000;

/** Waits before a failed guard is tried again (proposal 336 begins at 30 s; the last of C tor's are hours). */
const RETRY: RetryPolicy = {
  attempts: Number.POSITIVE_INFINITY,
  initialDelay: 30_000,
  maxDelay: 6 * 3_600_000,
  multiplier: 3,
  jitter: 0.25,
};

interface Guard {
  record: GuardRecord;
  failures: number;
  /** Monotonic times. */
  failedAt: number;
  retryAt: number;
}

/** A guard sample in a Store. */
export class SampledGuards implements GuardManager {
  readonly #options: GuardOptions;
  #guards: Guard[] = [];
  #lastUpdated = 0;
  /** Monotonic time. */
  #lastSuccess: number;
  #saved: Promise<void> = Promise.resolve();

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#lastSuccess = options.clock.monotonic();
  }

  /** Reads the stored sample. One that cannot be read is set aside, and a new one begun. */
  async load(): Promise<void> {
    const { store, key } = this.#options;
    const bytes = await store.get(key);
    if (bytes === undefined) return;
    try {
      const value: unknown = JSON.parse(fromUtf8(bytes));
      if ((value as { version?: unknown } | null)?.version !== GUARD_STATE_VERSION)
        throw new Error("version");
      this.#adopt(parseGuardState(value));
    } catch {
      await store.set(
        new Map([
          [`${key}.corrupt`, bytes],
          [key, undefined],
        ]),
      );
      this.#log("warn", "guards.corrupt", "the stored guards cannot be read; they are set aside");
    }
  }

  async next(netdir: NetDir, allowed: (relay: Relay) => boolean): Promise<Relay> {
    const listed = this.#checkListing(netdir);
    const fitting = listed.filter(({ relay }) => allowed(relay));
    const now = this.#options.clock.monotonic();
    const ready = fitting.find(({ guard }) => guard.retryAt <= now);
    if (ready !== undefined) return ready.relay;
    const sampled = listed.length < USABLE_GUARDS ? this.#sample(netdir, allowed) : undefined;
    if (sampled !== undefined) {
      // Written down before it is used: a guard that is forgotten is a guard sampled anew.
      await this.#save();
      return sampled;
    }
    // All of them failing at once says more about our own network: they are tried on in turn, as fast as the caller's
    // own delays allow.
    const longestWaiting = fitting.reduce<(typeof fitting)[number] | undefined>(
      (best, next) => (best === undefined || next.guard.failedAt < best.guard.failedAt ? next : best),
      undefined,
    );
    if (longestWaiting !== undefined) return longestWaiting.relay;
    throw new TorError(
      "no-path",
      "ALLIUM_E_NO_GUARD",
      `none of the ${listed.length} guards fits the rest of the path`,
    );
  }

  succeeded(relay: Relay): void {
    const at = this.#guards.findIndex(({ record }) => record.fingerprint === fingerprint(relay));
    const guard = this.#guards[at];
    if (guard === undefined) return;
    const { clock } = this.#options;
    guard.failures = 0;
    guard.retryAt = 0;
    if (clock.monotonic() - this.#lastSuccess > LIKELY_DOWN) {
      for (const earlier of this.#guards.slice(0, at)) earlier.retryAt = 0;
    }
    this.#lastSuccess = clock.monotonic();
    const news = !guard.record.confirmed;
    if (news || clock.now() - Date.parse(guard.record.last_used) >= LAST_USED_STEP) {
      guard.record = { ...guard.record, confirmed: true, last_used: timeText(clock.now()) };
      void this.#save();
    }
    if (news) this.#tell("confirmed", guard.record);
  }

  failed(relay: Relay): void {
    const guard = this.#guards.find(({ record }) => record.fingerprint === fingerprint(relay));
    if (guard === undefined) return;
    guard.failedAt = this.#options.clock.monotonic();
    // Circuits that were begun together fail together: that is one failure.
    if (guard.retryAt > guard.failedAt) return;
    guard.failures++;
    guard.retryAt = guard.failedAt + retryDelay(RETRY, guard.failures);
    this.#tell("failed", guard.record);
  }

  export(): GuardState {
    return { last_updated: timeText(this.#lastUpdated), guards: this.#guards.map(({ record }) => record) };
  }

  /** Replaces the sample. @throws TorError `bad-api-usage` */
  async import(state: unknown): Promise<void> {
    this.#adopt(parseGuardState(state));
    await this.#save();
  }

  /** Forgets all guards. */
  async reset(): Promise<void> {
    this.#guards = [];
    await this.#save();
  }

  /** Fulfilled when everything is written down. */
  async flush(): Promise<void> {
    await this.#saved;
  }

  #adopt(state: GuardState): void {
    this.#lastUpdated = Date.parse(state.last_updated);
    this.#guards = state.guards.map((record) => ({ record, failures: 0, failedAt: 0, retryAt: 0 }));
  }

  /** The guards that this consensus lists as such, in order. Those that it has not listed for long are dropped. */
  #checkListing(netdir: NetDir): { guard: Guard; relay: Relay }[] {
    const now = this.#options.clock.now();
    const listed: { guard: Guard; relay: Relay }[] = [];
    let changed = false;
    for (const guard of [...this.#guards]) {
      const relay = netdir.byRsaId(fromHex(guard.record.fingerprint));
      const { unlisted_since, ...record } = guard.record;
      if (relay !== undefined && isPossibleGuard(relay)) {
        listed.push({ guard, relay });
        if (unlisted_since !== undefined) guard.record = record;
        changed ||= unlisted_since !== undefined;
      } else if (unlisted_since === undefined) {
        guard.record = { ...record, unlisted_since: timeText(now) };
        changed = true;
      } else if (now - Date.parse(unlisted_since) > REMOVE_UNLISTED_AFTER) {
        this.#remove(guard);
        changed = true;
      }
    }
    if (changed) void this.#save();
    return listed;
  }

  #sample(netdir: NetDir, allowed: (relay: Relay) => boolean): Relay | undefined {
    const known = new Set(this.#guards.map(({ record }) => record.fingerprint));
    const relay = this.#options.sample(netdir, (one) => allowed(one) && !known.has(fingerprint(one)));
    const address = relay?.addresses[0];
    if (relay === undefined || address === undefined) return undefined;
    const oldestUnlisted = this.#guards.find(({ record }) => record.unlisted_since !== undefined);
    if (this.#guards.length >= MAX_GUARDS && oldestUnlisted !== undefined) this.#remove(oldestUnlisted);
    const now = timeText(this.#options.clock.now());
    const record: GuardRecord = {
      fingerprint: fingerprint(relay),
      nickname: relay.nickname,
      address: formatSocketAddress(address),
      first_used: now,
      last_used: now,
      confirmed: false,
    };
    this.#guards.push({ record, failures: 0, failedAt: 0, retryAt: 0 });
    this.#tell("sampled", record);
    return relay;
  }

  #remove(guard: Guard): void {
    this.#guards = this.#guards.filter((other) => other !== guard);
    this.#tell("removed", guard.record);
  }

  /** One write after the other, each with the state of its time. A store that fails costs persistence, not service. */
  #save(): Promise<void> {
    this.#saved = this.#saved.then(async () => {
      this.#lastUpdated = this.#options.clock.now();
      const state = JSON.stringify({ version: GUARD_STATE_VERSION, ...this.export() });
      const { store, key } = this.#options;
      try {
        await store.lock(key, () => store.set(new Map([[key, utf8(state)]])));
      } catch {
        this.#log("warn", "guards.not-saved", "the guards could not be stored");
      }
    });
    return this.#saved;
  }

  #tell(type: GuardEvent["type"], record: GuardRecord): void {
    this.#log("debug", `guards.${type}`, `guard ${type}`);
    this.#options.onEvent?.({ type, nickname: record.nickname, fingerprint: record.fingerprint });
  }

  #log(level: "debug" | "warn", code: string, message: string): void {
    this.#options.log?.({ level, code, message });
  }
}

function fingerprint(relay: Relay): string {
  return toHex(relay.rsaId).toUpperCase();
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
