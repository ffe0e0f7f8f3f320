// The guard sample as JSON: what is kept, and what a person carries from one place to another (guard-spec A.5).
// Times are RFC 3339; a guard is named by its RSA fingerprint, which the consensus binds to the other identity.

import { badApiUsage } from "../../base/errors.ts";
import { SAMPLE_LIMIT } from "./params.ts";

/** The exported form. */
export interface GuardState {
  readonly last_updated: string;
  /** In the order in which they were sampled. */
  readonly guards: readonly GuardRecord[];
}

export interface GuardRecord {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string;
  readonly nickname: string;
  /** `"192.0.2.1:9001"` */
  readonly address: string;
  /** When it was confirmed, or else sampled; both are moved into the past at random. */
  readonly first_used: string;
  /** To the hour. */
  readonly last_used: string;
  /** Whether a circuit was ever completed through it. */
  readonly confirmed: boolean;
  /** ADDED_ON_DATE, moved into the past at random. */
  readonly added_on: string;
  /** CONFIRMED_ON_DATE, moved into the past at random; of confirmed guards only. */
  readonly confirmed_on?: string;
  /** Its place in the order in which guards were confirmed, from 0; of confirmed guards only. */
  readonly confirmed_index?: number;
  /** FIRST_UNLISTED_AT, moved into the past at random: since when no consensus lists it as a guard. */
  readonly unlisted_since?: string;
  /** Circuits of several hops that had its hop, and those of them that became complete (path-spec 7.1), scaled. */
  readonly pb_circ_attempts?: number;
  readonly pb_circ_successes?: number;
  /** Not used any more, for too many circuits failed behind it. */
  readonly disabled?: true;
}

/** As in C tor. */
const MOST_CIRCUITS = 1e9;

/** The last millisecond that is written with four digits of a year. */
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * Checks a parsed JSON value and copies what is known of it. What earlier versions did not write is derived: a guard was
 * added and confirmed when it was first used, in the order of the list.
 * @throws TorError `bad-api-usage`
 */
export function parseGuardState(value: unknown): GuardState {
  const { last_updated, guards } = fields(value, "the state");
  if (!Array.isArray(guards) || guards.length > SAMPLE_LIMIT)
    throw malformed(`"guards" must be a list of at most ${SAMPLE_LIMIT}`);
  const records = guards.map(parseRecord);
  if (new Set(records.map((record) => record.fingerprint)).size !== records.length)
    throw malformed("a guard is listed twice");
  return { last_updated: time(last_updated, "last_updated"), guards: densely(records) };
}

/** Milliseconds since the epoch as RFC 3339. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** The records with confirmed_index counted from 0 without gaps. */
export function densely(records: readonly GuardRecord[]): GuardRecord[] {
  const place = ({ confirmed_index }: GuardRecord) => confirmed_index ?? Number.MAX_SAFE_INTEGER;
  const confirmed = records.filter((record) => record.confirmed).sort((a, b) => place(a) - place(b));
  const places = new Map(confirmed.map((record, index) => [record, index]));
  return records.map((record) => {
    const index = places.get(record);
    return index === undefined ? record : { ...record, confirmed_index: index };
  });
}

function parseRecord(value: unknown): GuardRecord {
  const given = fields(value, "a guard");
  const { confirmed } = given;
  if (typeof confirmed !== "boolean") throw malformed('"confirmed" must be true or false');
  const first_used = time(given.first_used, "first_used");
  return {
    fingerprint: text(given.fingerprint, "fingerprint", /^[0-9A-Fa-f]{40}$/).toUpperCase(),
    nickname: text(given.nickname, "nickname", /^[A-Za-z0-9]{1,19}$/),
    address: text(given.address, "address", /^[0-9A-Fa-f.:[\]]{1,64}$/),
    first_used,
    last_used: time(given.last_used, "last_used"),
    confirmed,
    added_on: given.added_on === undefined ? first_used : time(given.added_on, "added_on"),
    ...(confirmed ? parseConfirmed(given, first_used) : {}),
    ...(given.unlisted_since === undefined
      ? {}
      : { unlisted_since: time(given.unlisted_since, "unlisted_since") }),
    ...parseCounts(given),
    ...(flag(given.disabled, "disabled") ? { disabled: true } : {}),
  };
}

function parseConfirmed({ confirmed_on, confirmed_index }: Record<string, unknown>, first_used: string) {
  return {
    confirmed_on: confirmed_on === undefined ? first_used : time(confirmed_on, "confirmed_on"),
    ...(confirmed_index === undefined
      ? {}
      : { confirmed_index: number(confirmed_index, "confirmed_index", Number.MAX_SAFE_INTEGER) }),
  };
}

function parseCounts({ pb_circ_attempts, pb_circ_successes }: Record<string, unknown>) {
  if (pb_circ_attempts === undefined) return {};
  const attempts = number(pb_circ_attempts, "pb_circ_attempts", MOST_CIRCUITS);
  return {
    pb_circ_attempts: attempts,
    pb_circ_successes: number(pb_circ_successes ?? 0, "pb_circ_successes", attempts),
  };
}

function fields(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(`${what} must be an object`);
  return value as Record<string, unknown>;
}

function text(value: unknown, name: string, form: RegExp): string {
  if (typeof value !== "string" || !form.test(value)) throw malformed(`"${name}" is malformed`);
  return value;
}

function time(value: unknown, name: string): string {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
  const ms = Date.parse(text(value, name, form));
  if (!(ms >= 0 && ms <= LAST_TIME)) throw malformed(`"${name}" is not a time`);
  return timeText(ms);
}

function number(value: unknown, name: string, most: number): number {
  if (typeof value !== "number" || !(value >= 0 && value <= most)) throw malformed(`"${name}" is malformed`);
  return value;
}

function flag(value: unknown, name: string): boolean {
  if (value !== undefined && typeof value !== "boolean") throw malformed(`"${name}" must be true or false`);
  return value === true;
}

function malformed(message: string) {
  return badApiUsage("ALLIUM_E_BAD_GUARD_STATE", `not a guard state: ${message}`);
}
