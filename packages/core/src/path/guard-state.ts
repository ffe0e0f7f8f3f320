// The guard sample as JSON: what is kept in the Store, and what a person carries from one place to another.
// Times are RFC 3339; a guard is named by its RSA fingerprint, which the consensus binds to the other identity.

import { badApiUsage } from "../base/errors.ts";

/** The exported form. */
export interface GuardState {
  readonly last_updated: string;
  /** In order of preference. */
  readonly guards: readonly GuardRecord[];
}

export interface GuardRecord {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string;
  readonly nickname: string;
  /** `"192.0.2.1:9001"` */
  readonly address: string;
  readonly first_used: string;
  readonly last_used: string;
  /** Whether a circuit was ever completed through it. */
  readonly confirmed: boolean;
  /** Since when no consensus lists it as a guard. */
  readonly unlisted_since?: string;
}

/** The stored form's version; another one is refused, not guessed at. */
export const GUARD_STATE_VERSION = 1;

/** Upper bound of a sample (guard-spec A.1, "guard-max-sample-size"). */
export const MAX_GUARDS = 60;

/** Checks a parsed JSON value and copies what is known of it. @throws TorError `bad-api-usage` */
export function parseGuardState(value: unknown): GuardState {
  const { last_updated, guards } = fields(value, "the state");
  if (!Array.isArray(guards) || guards.length > MAX_GUARDS)
    throw malformed(`"guards" must be a list of at most ${MAX_GUARDS}`);
  const records = guards.map(parseRecord);
  if (new Set(records.map((record) => record.fingerprint)).size !== records.length)
    throw malformed("a guard is listed twice");
  return { last_updated: time(last_updated, "last_updated"), guards: records };
}

function parseRecord(value: unknown): GuardRecord {
  const { fingerprint, nickname, address, first_used, last_used, confirmed, unlisted_since } = fields(
    value,
    "a guard",
  );
  if (typeof confirmed !== "boolean") throw malformed('"confirmed" must be true or false');
  return {
    fingerprint: text(fingerprint, "fingerprint", /^[0-9A-Fa-f]{40}$/).toUpperCase(),
    nickname: text(nickname, "nickname", /^[A-Za-z0-9]{1,19}$/),
    address: text(address, "address", /^[0-9A-Fa-f.:[\]]{1,64}$/),
    first_used: time(first_used, "first_used"),
    last_used: time(last_used, "last_used"),
    confirmed,
    ...(unlisted_since === undefined ? {} : { unlisted_since: time(unlisted_since, "unlisted_since") }),
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
  if (Number.isNaN(ms)) throw malformed(`"${name}" is not a time`);
  return new Date(ms).toISOString();
}

function malformed(message: string) {
  return badApiUsage("ALLIUM_E_BAD_GUARD_STATE", `not a guard state: ${message}`);
}
