// The sampled, filtered, confirmed and primary guards, and how a consensus changes them (guard-spec 4.1 to 4.4, 4.10).
// Not here: circuits, and whether guards can be reached.

import { formatSocketAddress } from "../../base/address.ts";
import { fromHex, toHex } from "../../base/encoding.ts";
import { randomUnit } from "../../base/random.ts";
import type { ListedRelay, NetDir } from "../../directory/api.ts";
import { isCurrent } from "../../directory/lifetime.ts";
import { Guard, isListedGuard } from "./guard.ts";
import type { GuardParams } from "./params.ts";
import { densely, type GuardRecord, timeText } from "./state.ts";

export interface MemberOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A relay by weight among those allowed. */
  readonly sample: (netdir: NetDir, allowed: (relay: ListedRelay) => boolean) => ListedRelay | undefined;
}

/** Called after what persists has changed. */
type Changed = (type: "sampled" | "confirmed" | "removed" | "edited", guard: Guard) => void;

const HOUR = 3_600_000;

export class Members {
  readonly #options: MemberOptions;
  readonly #changed: Changed;
  #sampled: Guard[] = [];

  constructor(options: MemberOptions, changed: Changed) {
    this.#options = options;
    this.#changed = changed;
  }

  /** In the order in which they were sampled; so are all lists of guards, as in C tor (proposal 310). */
  get sampled(): readonly Guard[] {
    return this.#sampled;
  }

  get primary(): readonly Guard[] {
    return this.#sampled.filter((guard) => guard.isPrimary);
  }

  /** Takes up other records. What is known of a guard that stays is kept. */
  restore(records: readonly GuardRecord[], params: GuardParams): void {
    const known = new Map(this.#sampled.map((guard) => [guard.record.fingerprint, guard]));
    this.#sampled = records.map((record) => {
      const guard = known.get(record.fingerprint) ?? new Guard(record);
      guard.record = record;
      return guard;
    });
    this.updatePrimary(params);
  }

  /** A new view. Only one that is current says who is listed and who is to go. */
  update(netdir: NetDir, params: GuardParams): void {
    const undescribed = new Set(netdir.undescribed.filter(isListedGuard).map(({ rsaId }) => toHex(rsaId)));
    const now = this.#options.now();
    const current = isCurrent(netdir, now);
    for (const guard of this.#sampled) {
      const relay = netdir.byRsaId(fromHex(guard.record.fingerprint));
      guard.relay = relay !== undefined && isListedGuard(relay) ? relay : undefined;
      const isPresent = guard.relay !== undefined || undescribed.has(guard.record.fingerprint.toLowerCase());
      if (current) this.#setListed(guard, isPresent, now, params);
      this.#filter(guard, isPresent);
    }
    if (current) this.#removeOld(now, params);
    this.expand(netdir, params);
    this.updatePrimary(params);
  }

  /** Samples more guards while too few can be used, within the sample's bounds (guard-spec 4.2). */
  expand(netdir: NetDir, params: GuardParams): void {
    const { now, sample } = this.#options;
    if (!isCurrent(netdir, now())) return;
    let usable = this.#sampled.filter((guard) => guard.isUsable).length;
    if (usable >= params.minFilteredSize) return;
    const limit = maxSampleSize(netdir, params);
    const known = new Set(this.#sampled.map(({ record }) => record.fingerprint));
    while (usable < params.minFilteredSize && this.#sampled.length < limit) {
      const relay = sample(netdir, (one) => isListedGuard(one) && !known.has(fingerprintOf(one)));
      if (relay === undefined) return;
      known.add(fingerprintOf(relay));
      if (this.#add(relay, netdir, params).isUsable) usable++;
    }
  }

  /** Samples and fills up the primary set where it is short. */
  fillPrimary(netdir: NetDir, params: GuardParams): void {
    if (this.primary.length >= params.primaryGuards) return;
    this.expand(netdir, params);
    this.updatePrimary(params);
  }

  /** Fills the primary set: confirmed guards, then those that were in it, then the next ones of the sample. */
  updatePrimary({ primaryGuards }: GuardParams): void {
    const confirmed = this.#sampled.filter((guard) => guard.isConfirmed && guard.isFiltered);
    const kept = this.primary.filter((guard) => guard.isFiltered);
    const next = this.#sampled.filter((guard) => !guard.isConfirmed && guard.isUsable);
    const chosen = new Set([...new Set([...confirmed, ...kept, ...next])].slice(0, primaryGuards));
    for (const guard of this.#sampled) guard.isPrimary = chosen.has(guard);
  }

  /** Notes a complete circuit; the first one confirms the guard (guard-spec 4.8). */
  used(guard: Guard, params: GuardParams): void {
    const now = this.#options.now();
    const { record } = guard;
    if (guard.isConfirmed) {
      const last_used = hourOf(now, record.first_used);
      if (last_used !== record.last_used) this.edit(guard, { ...record, last_used });
      return;
    }
    // Never before it was sampled, as in arti.
    const confirmed_on = timeText(Math.max(earlier(now, params.lifetime / 10), Date.parse(record.added_on)));
    const times = { first_used: confirmed_on, last_used: hourOf(now, confirmed_on) };
    const confirmed_index = this.#sampled.filter((one) => one.isConfirmed).length;
    guard.record = { ...record, ...times, confirmed: true, confirmed_on, confirmed_index };
    this.updatePrimary(params);
    this.#changed("confirmed", guard);
  }

  edit(guard: Guard, record: GuardRecord): void {
    guard.record = record;
    this.#changed("edited", guard);
  }

  /** Takes a guard out of use for good. */
  disable(guard: Guard, params: GuardParams): void {
    this.edit(guard, { ...guard.record, disabled: true });
    guard.isFiltered = false;
    this.updatePrimary(params);
  }

  /** A guard without its microdescriptor at hand has its place in the sample, and is used once that has come. */
  #add(relay: ListedRelay, netdir: NetDir, params: GuardParams): Guard {
    const added_on = timeText(earlier(this.#options.now(), params.lifetime / 10));
    const guard = new Guard({
      ...namesOf(relay),
      ...{ first_used: added_on, last_used: added_on, confirmed: false, added_on },
    });
    guard.relay = netdir.byRsaId(relay.rsaId);
    this.#filter(guard, true);
    this.#sampled.push(guard);
    this.#changed("sampled", guard);
    return guard;
  }

  /** Membership in FILTERED_GUARDS. Without its microdescriptor a guard keeps its place. */
  #filter(guard: Guard, isPresent: boolean): void {
    guard.isFiltered = isPresent && guard.record.disabled === undefined;
  }

  #setListed(guard: Guard, isListed: boolean, now: number, params: GuardParams): void {
    const { unlisted_since, ...record } = guard.record;
    if (!isListed) {
      if (unlisted_since !== undefined) return;
      const since = timeText(earlier(now, params.removeUnlistedAfter / 5));
      this.edit(guard, { ...record, unlisted_since: since });
      return;
    }
    const names = guard.relay === undefined ? {} : namesOf(guard.relay);
    const renewed = { ...record, ...names };
    if (
      unlisted_since === undefined &&
      renewed.nickname === record.nickname &&
      renewed.address === record.address
    )
      return;
    this.edit(guard, renewed);
  }

  #removeOld(now: number, params: GuardParams): void {
    for (const guard of this.#sampled) {
      const record = notAhead(guard.record, now);
      if (record !== guard.record) this.edit(guard, record);
    }
    const old = this.#sampled.filter(({ record }) => isOld(record, now, params));
    if (old.length === 0) return;
    this.#sampled = this.#sampled.filter((guard) => !old.includes(guard));
    const records = densely(this.#sampled.map(({ record }) => record));
    for (const [i, guard] of this.#sampled.entries()) guard.record = records[i] ?? guard.record;
    for (const guard of old) this.#changed("removed", guard);
  }
}

/** guard-spec 4.1: whether a guard leaves the sample. */
function isOld(record: GuardRecord, now: number, params: GuardParams): boolean {
  const isPast = (time: string, age: number) => Date.parse(time) < now - age;
  if (record.unlisted_since !== undefined && isPast(record.unlisted_since, params.removeUnlistedAfter))
    return true;
  if (!isPast(record.added_on, params.lifetime)) return false;
  return record.confirmed_on === undefined || isPast(record.confirmed_on, params.confirmedMinLifetime);
}

/** A clock that was ahead once must not keep a guard for ever. */
function notAhead(record: GuardRecord, now: number): GuardRecord {
  const ahead = (["added_on", "confirmed_on", "unlisted_since"] as const).filter((name) => {
    const time = record[name];
    return time !== undefined && Date.parse(time) > now;
  });
  if (ahead.length === 0) return record;
  return { ...record, ...Object.fromEntries(ahead.map((name) => [name, timeText(now)])) };
}

function fingerprintOf({ rsaId }: ListedRelay): string {
  return toHex(rsaId).toUpperCase();
}

function namesOf(relay: ListedRelay): { fingerprint: string; nickname: string; address: string } {
  const [address] = relay.addresses;
  return {
    fingerprint: fingerprintOf(relay),
    nickname: relay.nickname,
    address: address === undefined ? "0.0.0.0:0" : formatSocketAddress(address),
  };
}

/** guard-spec 4.1: never more than this many are sampled, were every one of them unreachable. */
function maxSampleSize(netdir: NetDir, params: GuardParams): number {
  const guards = netdir.relays.filter(isListedGuard).length + netdir.undescribed.filter(isListedGuard).length;
  const byPercent = Math.floor((guards * params.maxSamplePercent) / 100);
  return Math.max(params.minFilteredSize, Math.min(byPercent, params.maxSampleSize));
}

/** The hour that `now` is in, but not before `earliest`. */
function hourOf(now: number, earliest: string): string {
  return timeText(Math.max(now - (now % HOUR), Date.parse(earliest)));
}

/** RAND(now, interval) of guard-spec A.2. Milliseconds since the epoch. */
function earlier(now: number, interval: number): number {
  return Math.max(0, Math.floor(now - randomUnit() * interval));
}
