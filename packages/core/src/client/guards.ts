// `TorClient.guards`: what a person may see of the guards, carry elsewhere, and forget.

import { withTimeout } from "../base/abort.ts";
import { TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { GuardKeeper } from "../path/guard-keeper.ts";
import type { GuardRecord, GuardState } from "../path/guards/state.ts";

export type { GuardRecord, GuardState };

/** Milliseconds for the store: another tab may hold its lock and never let go. */
const STORE_TIMEOUT = 10_000;

/** The client's guards, read from its store first if need be. A store that does not answer is `storage-denied`. */
export class Guards {
  readonly #guards: GuardKeeper;
  readonly #load: () => Promise<void>;
  readonly #clock: Clock;

  constructor(guards: GuardKeeper, load: () => Promise<void>, clock: Clock) {
    this.#guards = guards;
    this.#load = load;
    this.#clock = clock;
  }

  /** The guards in order of preference, as JSON that `import` takes, here or in another place. */
  export(): Promise<GuardState> {
    return this.#loaded(async () => this.#guards.export());
  }

  /**
   * Replaces the guards, in memory at once. Circuits in use stay.
   * @throws TorError `bad-api-usage` when it is not a guard state
   */
  import(state: unknown): Promise<void> {
    return this.#loaded(() => this.#guards.import(state));
  }

  /** Forgets the guards: new ones will be chosen. Each new guard is a chance for an attacker to be it. */
  reset(): Promise<void> {
    return this.#loaded(() => this.#guards.reset());
  }

  #loaded<T>(operation: () => Promise<T>): Promise<T> {
    const error = () =>
      new TorError("storage-denied", "ALLIUM_E_STORAGE_TIMEOUT", "the store does not answer");
    return withTimeout({ clock: this.#clock, ms: STORE_TIMEOUT, error }, async () => {
      await this.#load();
      return operation();
    });
  }
}
