// `TorClient.stats()`: counts for dashboards and tests. Nothing here names a relay or a destination.

import type { GuardState } from "../path/guards/state.ts";
import type { StreamInfo } from "./stream-opener.ts";

export interface ClientStats {
  /** Channels to relays that are open. */
  readonly channels: number;
  readonly circuits: {
    readonly open: number;
    readonly building: number;
    /** Since the client was made. */
    readonly built: number;
    readonly failed: number;
  };
  readonly streams: {
    readonly open: number;
    /** Since the client was made. */
    readonly opened: number;
    readonly failed: number;
  };
  /** Bytes that wait for readers of all streams together, and how many may. */
  readonly memory: { readonly used: number; readonly limit: number };
  readonly guards: {
    readonly total: number;
    readonly confirmed: number;
    /** When the oldest guard was first used and any was last used, RFC 3339. */
    readonly oldest?: string;
    readonly lastUsed?: string;
  };
}

export class StreamCounter {
  #open = 0;
  #opened = 0;
  #failed = 0;

  get stats(): ClientStats["streams"] {
    return { open: this.#open, opened: this.#opened, failed: this.#failed };
  }

  count({ state }: StreamInfo): void {
    if (state === "open") {
      this.#open++;
      this.#opened++;
    } else if (state === "closed") {
      this.#open--;
    } else if (state === "failed") {
      this.#failed++;
    }
  }
}

export function guardStats({ guards }: GuardState): ClientStats["guards"] {
  const oldest = guards.map(({ first_used }) => first_used).sort()[0];
  const lastUsed = guards
    .map(({ last_used }) => last_used)
    .sort()
    .at(-1);
  return {
    total: guards.length,
    confirmed: guards.filter(({ confirmed }) => confirmed).length,
    ...(oldest === undefined ? {} : { oldest }),
    ...(lastUsed === undefined ? {} : { lastUsed }),
  };
}
