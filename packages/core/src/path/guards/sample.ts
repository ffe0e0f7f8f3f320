// The guard algorithm (guard-spec, the whole; proposal 271 as deployed): which guard a circuit goes through, and which
// circuits may be used. Synchronous, and told the time. Not here: storing the state, timers, building circuits.

import type { NetDir } from "../../directory/api.ts";
import {
  chooseOther,
  choosePrimary,
  firstPrimary,
  type GuardRequest,
  noGuard,
  noGuardError,
} from "./choose.ts";
import { GuardCircuit, type GuardCircuitState, type GuardUse } from "./circuit.ts";
import type { Guard, Restriction } from "./guard.ts";
import { type MemberOptions, Members } from "./members.ts";
import { type GuardParams, guardParams } from "./params.ts";
import { belowPercent, type CircuitOutcome, countOutcome, failsTooMany } from "./path-bias.ts";
import { type GuardState, timeText } from "./state.ts";
import { Circuits } from "./waiting.ts";

export type { GuardCircuit, GuardCircuitState, GuardUse, Restriction };

/**
 * What happened to a guard. "failed" and "reached": it cannot, or can, be reached any more. "retry": it failed and is
 * worth a try again. "suspicious": too few circuits through it become complete. "disabled": so few that it is not used.
 */
export interface GuardEvent {
  readonly type:
    | "sampled"
    | "confirmed"
    | "removed"
    | "failed"
    | "reached"
    | "retry"
    | "suspicious"
    | "disabled";
  readonly nickname: string;
  readonly fingerprint: string;
  /** With "suspicious": the percentage of complete circuits that it is below (pb_noticepct or pb_warnpct). */
  readonly belowPercent?: number;
}

export interface GuardSampleOptions extends MemberOptions {
  /** Milliseconds from any beginning; never goes back. */
  readonly monotonic: () => number;
  readonly onEvent?: ((event: GuardEvent) => void) | undefined;
}

export class GuardSample {
  readonly #options: GuardSampleOptions;
  readonly #members: Members;
  readonly #circuits: Circuits;
  #netdir: NetDir | undefined;
  #params: GuardParams = guardParams(undefined);
  /** Monotonic time of the last complete circuit. */
  #lastOnInternet = Number.NEGATIVE_INFINITY;
  #lastUpdated = 0;
  #isDirty = false;

  constructor(options: GuardSampleOptions) {
    this.#options = options;
    this.#members = new Members(options, (type, guard) => {
      this.#touch();
      if (type !== "edited") this.#tell(type, guard);
    });
    this.#circuits = new Circuits((guard) => this.#members.sampled.includes(guard));
  }

  /** Replaces the sample by what `parseGuardState` returned. Circuits over guards that are not in it are of no use. */
  adopt(state: GuardState): void {
    this.#lastUpdated = Date.parse(state.last_updated);
    this.#members.restore(state.guards, this.#params);
    if (this.#netdir !== undefined) this.#members.update(this.#netdir, this.#params);
  }

  export(): GuardState {
    const guards = this.#members.sampled.map(({ record }) => record);
    return { last_updated: timeText(this.#lastUpdated), guards };
  }

  /** Forgets all guards; others are sampled when one is needed. */
  reset(): void {
    this.#touch();
    this.#members.restore([], this.#params);
  }

  /** Whether what persists has changed since this was last asked. */
  takeDirty(): boolean {
    const isDirty = this.#isDirty;
    this.#isDirty = false;
    return isDirty;
  }

  /** A new view of the network (guard-spec 4.10). */
  update(netdir: NetDir): void {
    this.#netdir = netdir;
    this.#params = guardParams(netdir);
    this.#considerRetries();
    this.#members.update(netdir, this.#params);
  }

  /**
   * A guard for a new circuit (guard-spec 4.6). End each circuit with `succeeded`, `failed` or `gaveUp`; save what has
   * become dirty before its channel is opened, for a guard that is forgotten is a guard sampled anew.
   * @throws TorError `no-path`
   */
  select(use: GuardUse, restriction?: Restriction): GuardCircuit {
    if (this.#netdir === undefined)
      throw noGuardError("there is no view of the network to take a guard from");
    this.#considerRetries();
    this.#members.fillPrimary(this.#netdir, this.#params);
    if (use === "data") this.#requireDescribed();
    const request = { use, restriction };
    const circuit = this.#choose(request, this.#netdir) ?? this.#chooseAnew(request, this.#netdir);
    if (circuit === undefined) throw noGuard(this.#members.sampled, restriction);
    this.#circuits.add(circuit);
    return circuit;
  }

  /**
   * The circuit is complete, and so its guard was reached (guard-spec 4.8). It may be used only when "complete" is
   * returned. Call `updateWaiting` next.
   * @throws TorError `no-path` when its guard has left the sample meanwhile: close it
   */
  succeeded(circuit: GuardCircuit): GuardCircuitState {
    const { guard } = circuit;
    if (!this.#circuits.isKnown(circuit)) {
      this.#circuits.remove(circuit);
      throw noGuardError("the circuit's guard has left the sample meanwhile");
    }
    const now = this.#options.monotonic();
    const silence = now - this.#lastOnInternet;
    this.#lastOnInternet = now;
    const isNews = guard.reachable !== "yes";
    guard.reachable = "yes";
    guard.failingSince = undefined;
    guard.isPending = false;
    if (isNews) this.#tell("reached", guard);
    this.#members.used(guard, this.#params);
    const isWaiting =
      circuit.state === "usable-if-no-better-guard" || circuit.state === "waiting-for-better-guard";
    circuit.enter(isWaiting && !guard.isPrimary ? "waiting-for-better-guard" : "complete", now);
    // After a long silence the primary guards may have failed for want of a network.
    if (!guard.isPrimary && silence > this.#params.internetLikelyDown) this.#retry(this.#members.primary);
    return circuit.state;
  }

  /** The guard could not be reached (guard-spec 4.7). Call `updateWaiting` next. */
  failed(circuit: GuardCircuit): void {
    const { guard } = circuit;
    const isKnown = this.#circuits.isKnown(circuit);
    this.#circuits.remove(circuit);
    if (!isKnown) return;
    const isNews = guard.reachable !== "no";
    guard.reachable = "no";
    guard.isPending = false;
    guard.failingSince ??= this.#options.monotonic();
    if (isNews) this.#tell("failed", guard);
  }

  /**
   * The circuit is gone, which says nothing of its guard: given up, or closed after it was complete. Without this call
   * it goes on holding back others. Call `updateWaiting` next.
   */
  gaveUp(circuit: GuardCircuit): void {
    if (this.#circuits.remove(circuit)) circuit.guard.isPending = this.#circuits.isTried(circuit.guard);
  }

  /**
   * Counts for path bias what became of a circuit of several hops after its first (path-spec 7). Not to be called when
   * our own network was lost or the caller gave up. A "success" may turn into a failure later, when the circuit breaks.
   */
  noteCircuit(circuit: GuardCircuit, outcome: CircuitOutcome): void {
    const { guard, outcome: before } = circuit;
    const isCounted = before === outcome || before === "failed-after-first-hop";
    if (circuit.use === "directory" || isCounted || !this.#members.sampled.includes(guard)) return;
    circuit.outcome = outcome;
    const { record } = guard;
    const known = { attempts: record.pb_circ_attempts ?? 0, successes: record.pb_circ_successes ?? 0 };
    const counts = countOutcome(known, outcome, before, this.#params.pathBias);
    const { attempts, successes } = counts;
    this.#members.edit(guard, { ...record, pb_circ_attempts: attempts, pb_circ_successes: successes });
    if (record.disabled) return;
    if (failsTooMany(counts, this.#params.pathBias)) {
      this.#members.disable(guard, this.#params);
      this.#tell("disabled", guard);
      return;
    }
    const below = belowPercent(counts, this.#params.pathBias);
    if (below === undefined || below >= guard.warnedBelow) return;
    guard.warnedBelow = below;
    this.#tell("suspicious", guard, { belowPercent: below });
  }

  /** The circuits that have waited for a better guard and may be used from now on (guard-spec 4.9). */
  updateWaiting(): GuardCircuit[] {
    this.#considerRetries();
    return this.#circuits.release(this.#reachablePrimary(), this.#options.monotonic(), this.#params);
  }

  /** The circuits to be closed, for they have waited too long, or their guard has left the sample (guard-spec 4.9). */
  expireWaiting(): GuardCircuit[] {
    return this.#circuits.expire(this.#options.monotonic(), this.#params);
  }

  /**
   * Whether another circuit is to be begun, for one that waits is neither built nor in progress (guard-spec 4.11): a primary
   * guard might work, and nobody is trying one.
   */
  needsCircuit(): boolean {
    this.#considerRetries();
    return this.#circuits.lackAttempt && this.#reachablePrimary().length > 0;
  }

  /** Monotonic time at which `updateWaiting` or `expireWaiting` may have news that no other call brings. */
  nextWake(): number | undefined {
    return this.#circuits.nextWake(this.#options.monotonic(), this.#params);
  }

  /** Makes every guard worth a try: our own network is back, or is another one. */
  markAllMaybeReachable(): void {
    this.#retry(this.#members.sampled);
  }

  /** Whether a relay is in the sample, by its fingerprint (upper-case hex). */
  has(fingerprint: string): boolean {
    return this.#members.sampled.some(({ record }) => record.fingerprint === fingerprint);
  }

  /** In order of preference. */
  get primary(): readonly Guard[] {
    return this.#members.primary;
  }

  /** Fingerprints (upper-case hex) of guards without whose microdescriptors no "data" circuit is built (guard-spec 4.12). */
  needed(): ReadonlySet<string> {
    this.#considerRetries();
    return new Set(firstPrimary(this.#members.primary, this.#params).map(({ record }) => record.fingerprint));
  }

  #reachablePrimary(): Guard[] {
    return this.#members.primary.filter((guard) => guard.reachable !== "no");
  }

  #requireDescribed(): void {
    const missing = firstPrimary(this.#members.primary, this.#params).filter(
      ({ relay }) => relay === undefined,
    );
    if (missing.length > 0)
      throw noGuardError(`the microdescriptors of ${missing.length} primary guards are not at hand yet`);
  }

  #choose(request: GuardRequest, netdir: NetDir): GuardCircuit | undefined {
    const { primary } = this.#members;
    const now = this.#options.monotonic();
    const preferred = choosePrimary(primary, request, this.#params);
    if (preferred?.relay !== undefined) {
      preferred.lastTried = now;
      return new GuardCircuit(preferred, preferred.relay, request, "usable-on-completion", now);
    }
    this.#members.expand(netdir, this.#params);
    const other = chooseOther(this.#members.sampled, request.restriction);
    if (other?.relay === undefined) return undefined;
    other.isPending = true;
    other.lastTried = now;
    return new GuardCircuit(other, other.relay, request, "usable-if-no-better-guard", now);
  }

  /** When all that fit are unreachable, our own network is the likelier cause: all of them are tried anew. */
  #chooseAnew(request: GuardRequest, netdir: NetDir): GuardCircuit | undefined {
    const { restriction } = request;
    const fitting = this.#members.sampled.filter(
      (guard) => restriction === undefined || guard.fits(restriction),
    );
    return this.#retry(fitting) ? this.#choose(request, netdir) : undefined;
  }

  /** @returns whether there was any to retry */
  #retry(guards: readonly Guard[]): boolean {
    const retried = guards.filter((guard) => guard.retry());
    for (const guard of retried) this.#tell("retry", guard);
    return retried.length > 0;
  }

  #considerRetries(): void {
    const now = this.#options.monotonic();
    for (const guard of this.#members.sampled) if (guard.considerRetry(now)) this.#tell("retry", guard);
  }

  #touch(): void {
    this.#isDirty = true;
    this.#lastUpdated = this.#options.now();
  }

  #tell(type: GuardEvent["type"], { record }: Guard, more: { readonly belowPercent?: number } = {}): void {
    const { nickname, fingerprint } = record;
    this.#options.onEvent?.({ type, nickname, fingerprint, ...more });
  }
}
