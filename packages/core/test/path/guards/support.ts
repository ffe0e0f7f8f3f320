// What the tests of guards share: a network of guards, a sample with virtual time, and records of guards as stored.

import type { NetDir, Relay } from "../../../src/directory/api.ts";
import type { GuardCircuit, GuardUse } from "../../../src/path/guards/circuit.ts";
import type { Guard, Restriction } from "../../../src/path/guards/guard.ts";
import { type GuardEvent, GuardSample, type GuardSampleOptions } from "../../../src/path/guards/sample.ts";
import { type GuardRecord, type GuardState, timeText } from "../../../src/path/guards/state.ts";
import { familyName, guardRelay, netdir } from "../synthetic.ts";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The wall clock's beginning. */
export const START = 20_000 * DAY;

export const GUARDS: readonly Relay[] = Array.from({ length: 400 }, (_, id) => guardRelay(id));

/** The guards with these ids. */
export const relays = (...ids: readonly number[]): Relay[] => ids.map((id) => GUARDS[id] as Relay);

/** A view that lists the first `count` guards, or these ones, and that does not expire. */
export function view(
  guards: number | readonly Relay[] = 400,
  options: Parameters<typeof netdir>[1] = {},
): NetDir {
  const listed = typeof guards === "number" ? GUARDS.slice(0, guards) : guards;
  return netdir(listed, { validUntil: START + 5000 * DAY, ...options });
}

export const without = (...gone: readonly (Relay | undefined)[]): NetDir =>
  view(GUARDS.filter((relay) => !gone.includes(relay)));

/** What allows every guard but these. */
export const except = (...gone: readonly Relay[]): Restriction => ({
  allows: (relay) => !gone.includes(relay),
});

export const nickname = ({ relay }: GuardCircuit): string => relay.nickname;

/** How long before START, in milliseconds. */
export const age = (time: string | undefined): number => START - Date.parse(time ?? "");

/** Nicknames. */
export const ids = (...numbers: number[]): string[] => numbers.map((id) => `Relay${id}`);

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

/** A guard as it is stored. */
export function record(id: number, more: Partial<GuardRecord> = {}): GuardRecord {
  const at = timeText(START - DAY);
  return {
    fingerprint: familyName(id).slice(1),
    ...{ nickname: `Relay${id}`, address: `10.${id % 256}.0.${1 + (id >> 8)}:9001` },
    ...{ first_used: at, last_used: at, confirmed: false, added_on: at },
    ...more,
  };
}

export const confirmed = (
  id: number,
  confirmed_index: number,
  more: Partial<GuardRecord> = {},
): GuardRecord =>
  record(id, { confirmed: true, confirmed_on: timeText(START - DAY), confirmed_index, ...more });

export const state = (...guards: readonly GuardRecord[]): GuardState => ({
  last_updated: timeText(START),
  guards,
});

/** A sample whose next guard is the first one of the view that is not in it yet. */
export class Bench {
  readonly sample: GuardSample;
  readonly events: GuardEvent[] = [];
  #elapsed = 0;

  constructor(netdir: NetDir | null = view(), options: Partial<GuardSampleOptions> = {}) {
    this.sample = new GuardSample({
      now: () => START + this.#elapsed,
      monotonic: () => this.#elapsed,
      sample: (one, allowed) => one.relays.find(allowed),
      onEvent: (event) => this.events.push(event),
      ...options,
    });
    if (netdir !== null) this.sample.update(netdir);
  }

  advance(ms: number): void {
    this.#elapsed += ms;
  }

  /** Nicknames of the sample, in its order. */
  get sampled(): string[] {
    return this.sample.export().guards.map((guard) => guard.nickname);
  }

  get primary(): string[] {
    return this.primaryGuards().map((guard) => guard.record.nickname);
  }

  /** As they are now: those whose time has come are worth a try again. */
  primaryGuards(): readonly Guard[] {
    this.sample.needed();
    return this.sample.primary;
  }

  stored(id: number): GuardRecord | undefined {
    return this.sample.export().guards.find((guard) => guard.nickname === `Relay${id}`);
  }

  select(use: GuardUse = "data", restriction?: Restriction): GuardCircuit {
    return this.sample.select(use, restriction);
  }

  /** One circuit that fails, or is complete, through the guard that is due. */
  fail(use: GuardUse = "data"): string {
    const circuit = this.select(use);
    this.sample.failed(circuit);
    return nickname(circuit);
  }

  succeed(): GuardCircuit {
    const circuit = this.select();
    this.sample.succeeded(circuit);
    return circuit;
  }

  /** How often an event came, by the guard's nickname. */
  heard(type: GuardEvent["type"]): string[] {
    return this.events.filter((event) => event.type === type).map((event) => event.nickname);
  }
}
