// How long a circuit is waited for, learned from how long others took (path-spec 2.4.3 to 2.4.5). No timers, no I/O.
// Not here: building test circuits, and closing what is too slow.

import { BuildTimeHistory, type BuildTimes, HISTORY_LENGTH, histogramOf } from "./history.ts";
import type { BuildTimeoutParams } from "./params.ts";
import { fitPareto, quantileOf } from "./pareto.ts";

/** Milliseconds since the circuit was begun. */
export interface BuildLimits {
  /** Afterwards the circuit counts as timed out and is not used, but its build time is still measured. */
  readonly timeout: number;
  /** Afterwards it is closed and teaches nothing. Never less than `timeout`. */
  readonly abandon: number;
}

/** Milliseconds; arti's bound. A guard that delays circuits leads us no further than this, nor do stored times. */
const LONGEST_WAIT = 7_200_000;
const INT32_MAX = 2 ** 31 - 1;
/** Hops of the circuits that are measured: shorter ones teach nothing (path-spec 2.4.4). */
export const MEASURED_HOPS = 3;

export class BuildTimeoutEstimator {
  #params: BuildTimeoutParams;
  readonly #times = new BuildTimeHistory();
  /** Of the last circuits, the newest last: whether each timed out. */
  #timeouts: boolean[] = [];
  #estimate: BuildLimits | undefined;
  /** Longer limits in place of the initial ones, once those were too short. */
  #doubled: BuildLimits | undefined;

  /** @param stored as `export` made it and `parseBuildTimes` checked it */
  constructor(params: BuildTimeoutParams, stored?: BuildTimes) {
    this.#params = params;
    if (stored !== undefined && !params.disabled) this.#times.restore(stored);
    this.#estimate = this.#computeEstimate();
  }

  /** Takes up a new consensus's parameters. What was learned stays, unless they forbid learning. */
  setParams(params: BuildTimeoutParams): void {
    if (params.disabled) this.#forget();
    if (params.initialTimeout !== this.#params.initialTimeout) this.#doubled = undefined;
    this.#params = params;
    this.#timeouts = this.#timeouts.slice(-params.recentCount);
    this.#estimate = this.#computeEstimate();
  }

  /**
   * For a circuit of `hops` hops (path-spec 2.4.3): each hop costs a round trip through all links up to it.
   * Fewer than three get what three get, as in C tor and arti: if the first link is the slow one, a sixth is too little.
   * Ask again when `timeout` is over: it may have grown, and then holds for the circuits under way too.
   */
  limits(hops: number): BuildLimits {
    const scale = Math.max(1, actions(hops) / actions(MEASURED_HOPS));
    const { timeout, abandon } = this.#current();
    return { timeout: Math.min(timeout * scale, INT32_MAX), abandon: Math.min(abandon * scale, INT32_MAX) };
  }

  /**
   * The third hop of a circuit of three or more was complete. What took longer than `limits(3).abandon` is ignored.
   * @param ms since the circuit was begun
   * @param options `late`: `timedOut` was called for the circuit; its time counts, but it is no success
   */
  built(ms: number, { late = false }: { readonly late?: boolean } = {}): void {
    if (this.#params.disabled || !(ms >= 0 && ms <= this.#current().abandon)) return;
    this.#times.add(ms);
    this.#estimate = this.#computeEstimate();
    if (!late) this.#remember(false);
  }

  /**
   * A circuit of three or more hops was not complete at its timeout; at most once for each, and not after `built`.
   * @param options `firstHopDone`: whether its first hop was; if not, the network may be dead, which teaches nothing
   */
  timedOut({ firstHopDone }: { readonly firstHopDone: boolean }): void {
    if (this.#params.disabled || !firstHopDone) return;
    this.#remember(true);
    if (this.#timeouts.filter((timedOut) => timedOut).length >= this.#params.maxTimeouts) this.#learnAnew();
  }

  /** Whether build times are still wanting. False where there can never be enough (cbtmincircs above 1000). */
  get learning(): boolean {
    const { disabled, minCircuits } = this.#params;
    return !disabled && minCircuits <= HISTORY_LENGTH && this.#times.count < minCircuits;
  }

  /** Milliseconds from one test circuit to the next; undefined where none is wanted. */
  get testInterval(): number | undefined {
    return this.learning ? this.#params.testInterval : undefined;
  }

  /** What is to be stored. */
  export(): BuildTimes {
    return { histogram: histogramOf(this.#times.times) };
  }

  #current(): BuildLimits {
    const { initialTimeout } = this.#params;
    return this.#estimate ?? this.#doubled ?? { timeout: initialTimeout, abandon: initialTimeout };
  }

  #remember(timedOut: boolean): void {
    this.#timeouts.push(timedOut);
    if (this.#timeouts.length > this.#params.recentCount) this.#timeouts.shift();
  }

  #computeEstimate(): BuildLimits | undefined {
    const { modes, minCircuits, quantile, closeQuantile, minTimeout, initialTimeout } = this.#params;
    if (this.#times.count < minCircuits) return undefined;
    const pareto = fitPareto(this.#times.times, modes);
    if (pareto === undefined) return undefined;
    const { longest } = this.#times;
    const timeout = Math.min(quantileOf(pareto, quantile), longest);
    const abandon = Math.min(quantileOf(pareto, closeQuantile), 2 * longest);
    return {
      timeout: this.#bounded(Math.max(timeout, minTimeout)),
      abandon: this.#bounded(Math.max(abandon, initialTimeout)),
    };
  }

  /** The network is no longer what was learned (path-spec 2.4.5). */
  #learnAnew(): void {
    const { timeout, abandon } = this.#current();
    this.#forget();
    if (timeout < this.#params.initialTimeout) return;
    this.#doubled = { timeout: this.#bounded(2 * timeout), abandon: this.#bounded(2 * abandon) };
  }

  #forget(): void {
    this.#times.clear();
    this.#timeouts = [];
    this.#estimate = undefined;
    this.#doubled = undefined;
  }

  #bounded(ms: number): number {
    return Math.min(ms, Math.max(LONGEST_WAIT, this.#params.initialTimeout));
  }
}

/** Links that cells pass while a circuit of `hops` hops is built. */
function actions(hops: number): number {
  return (hops * (hops + 1)) / 2;
}
