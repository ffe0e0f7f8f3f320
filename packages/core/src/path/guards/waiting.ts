// The circuits under way, waiting and complete, and which of those that wait may be used or must go (guard-spec 4.9).

import type { GuardCircuit } from "./circuit.ts";
import type { Guard } from "./guard.ts";
import type { GuardParams } from "./params.ts";

export class Circuits {
  readonly #isSampled: (guard: Guard) => boolean;
  /** Every circuit that has neither failed nor gone. */
  readonly #all = new Set<GuardCircuit>();

  constructor(isSampled: (guard: Guard) => boolean) {
    this.#isSampled = isSampled;
  }

  add(circuit: GuardCircuit): void {
    this.#all.add(circuit);
  }

  /** Whether it is there, and its guard is still in the sample. */
  isKnown(circuit: GuardCircuit): boolean {
    return this.#all.has(circuit) && this.#isSampled(circuit.guard);
  }

  /** @returns whether it was there */
  remove(circuit: GuardCircuit): boolean {
    return this.#all.delete(circuit);
  }

  /** Whether a circuit is under way that would show whether this guard, which is not primary, works. */
  isTried(guard: Guard): boolean {
    return [...this.#all].some((one) => one.guard === guard && one.state === "usable-if-no-better-guard");
  }

  /** Makes those complete that nothing holds back any more. @param better primary guards that may yet be reached */
  release(better: readonly Guard[], now: number, { connectTimeout }: GuardParams): GuardCircuit[] {
    const known = [...this.#all].filter((circuit) => this.isKnown(circuit));
    const ready = known.filter((circuit) => {
      if (circuit.state !== "waiting-for-better-guard") return false;
      // As for a new circuit: nothing is better than a guard that has become primary meanwhile.
      if (circuit.guard.isPrimary) return true;
      // A primary guard that this circuit must not use is not what it waits for.
      if (better.some((guard) => guard.fits(circuit.restriction))) return false;
      return !known.some((other) => other.blocks(circuit, now, connectTimeout));
    });
    for (const circuit of ready) circuit.enter("complete", now);
    return ready;
  }

  /** Removes those that have waited too long, or whose guard has left the sample. */
  expire(now: number, { idleTimeout }: GuardParams): GuardCircuit[] {
    const expired = this.#waiting().filter(
      (circuit) => circuit.since + idleTimeout <= now || !this.#isSampled(circuit.guard),
    );
    for (const circuit of expired) this.#all.delete(circuit);
    return expired;
  }

  /** Whether any waits and none is under way that could show whether a primary guard works. */
  get lackAttempt(): boolean {
    const isTrying = [...this.#all].some(({ state }) => state === "usable-on-completion");
    return !isTrying && this.#waiting().length > 0;
  }

  /** The next time at which `release` or `expire` has news without anything else happening. */
  nextWake(now: number, { connectTimeout, idleTimeout }: GuardParams): number | undefined {
    const waiting = this.#waiting();
    if (waiting.length === 0) return undefined;
    const tried = [...this.#all]
      .filter(({ state }) => state === "usable-if-no-better-guard")
      .map(({ since }) => since + connectTimeout)
      .filter((time) => time > now);
    return Math.min(...tried, ...waiting.map(({ since }) => since + idleTimeout));
  }

  #waiting(): GuardCircuit[] {
    return [...this.#all].filter(({ state }) => state === "waiting-for-better-guard");
  }
}
