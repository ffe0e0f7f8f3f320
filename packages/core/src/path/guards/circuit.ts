// A circuit as guards see it: through which guard, in which of the four states, and which others it holds back
// (guard-spec 4.6, 4.9).

import type { Relay } from "../../directory/api.ts";
import { type Guard, isPreferred, type Restriction } from "./guard.ts";
import type { CircuitOutcome } from "./path-bias.ts";

/** "directory" is for circuits of one hop to the guard as a directory cache. */
export type GuardUse = "data" | "directory";

/** Streams and onion service messages may only be sent over a "complete" circuit. */
export type GuardCircuitState =
  | "usable-on-completion"
  | "usable-if-no-better-guard"
  | "waiting-for-better-guard"
  | "complete";

/** One attempt to build a circuit, as `GuardSample.select` hands it out. Only the sample changes it. */
export class GuardCircuit {
  readonly guard: Guard;
  readonly relay: Relay;
  readonly use: GuardUse;
  readonly restriction: Restriction | undefined;
  #state: GuardCircuitState;
  #since: number;
  /** What was counted of it for path bias. */
  outcome: CircuitOutcome | undefined;

  constructor(
    guard: Guard,
    relay: Relay,
    request: { readonly use: GuardUse; readonly restriction: Restriction | undefined },
    state: GuardCircuitState,
    now: number,
  ) {
    this.guard = guard;
    this.relay = relay;
    this.use = request.use;
    this.restriction = request.restriction;
    this.#state = state;
    this.#since = now;
  }

  get state(): GuardCircuitState {
    return this.#state;
  }

  /** Monotonic time since when it has been in its state. */
  get since(): number {
    return this.#since;
  }

  /** @param now monotonic */
  enter(state: GuardCircuitState, now: number): void {
    this.#state = state;
    this.#since = now;
  }

  /** Whether `other` has to wait because of this one (guard-spec 4.9, C2 and C1). @param now monotonic */
  blocks(other: GuardCircuit, now: number, connectTimeout: number): boolean {
    if (!isPreferred(this.guard, other.guard) || other.restriction?.allows(this.relay) === false)
      return false;
    switch (this.#state) {
      case "usable-on-completion":
        return false;
      case "usable-if-no-better-guard":
        return now < this.#since + connectTimeout;
      default:
        return true;
    }
  }
}
