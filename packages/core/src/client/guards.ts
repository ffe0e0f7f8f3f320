// `TorClient.guards`: what a person may see of the guards, carry elsewhere, and forget.

import type { GuardKeeper } from "../path/guard-keeper.ts";
import type { GuardRecord, GuardState } from "../path/guards/state.ts";

export type { GuardRecord, GuardState };

/** The client's guards, read from its store first if need be. */
export class Guards {
  readonly #guards: GuardKeeper;
  readonly #load: () => Promise<void>;

  constructor(guards: GuardKeeper, load: () => Promise<void>) {
    this.#guards = guards;
    this.#load = load;
  }

  /** The guards in order of preference, as JSON that `import` takes, here or in another place. */
  async export(): Promise<GuardState> {
    await this.#load();
    return this.#guards.export();
  }

  /** Replaces the guards. Circuits in use stay. @throws TorError `bad-api-usage` when it is not a guard state */
  async import(state: unknown): Promise<void> {
    await this.#load();
    await this.#guards.import(state);
  }

  /** Forgets the guards: new ones will be chosen. Each new guard is a chance for an attacker to be it. */
  async reset(): Promise<void> {
    await this.#load();
    await this.#guards.reset();
  }
}
