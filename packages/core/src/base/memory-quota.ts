// A bound on the memory that waits for somebody to take it (tor-spec 8.1): accounts charge it, and when it is exceeded the
// account whose data have waited longest is cleared, for they are the least likely to be wanted.

import { TorError } from "./errors.ts";

/** Whoever holds memory on an account. */
export interface MemoryHolder {
  /** Monotonic time since which its oldest data have waited. Asked only while it holds any. */
  oldest(): number;
  /** Lets go of all of it; the account must be at 0 afterwards. */
  reclaim(error: TorError): void;
}

/** What one holder uses. */
export interface MemoryAccount {
  /** Adds to, or with a negative number takes from, what is used. It may reclaim any holder, this one too. */
  charge(bytes: number): void;
}

/** A limit over many accounts; quotas nest, and what is charged to one is charged to those around it. */
export class MemoryQuota {
  readonly limit: number;
  readonly #name: string;
  readonly #parent: MemoryQuota | undefined;
  readonly #accounts = new Set<Account>();
  #used = 0;

  /** @param name what is limited, for the error ("the client", "a circuit") */
  constructor(limit: number, name: string, parent?: MemoryQuota) {
    this.limit = limit;
    this.#name = name;
    this.#parent = parent;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }

  /** An account for `holder`. It is forgotten whenever it is at 0, so that nothing is left of holders that are gone. */
  account(holder: MemoryHolder): MemoryAccount {
    return new Account(holder, this);
  }

  /** For accounts only. */
  change(account: Account, before: number, after: number): void {
    this.#used += after - before;
    if (after === 0) this.#accounts.delete(account);
    else if (before === 0) this.#accounts.add(account);
    this.#parent?.change(account, before, after);
    // Each level by itself: what one circuit has too much of is its own affair.
    if (after > before) this.#enforce();
  }

  #enforce(): void {
    while (this.#used > this.limit) {
      const oldest = this.#oldest();
      if (oldest === undefined) return;
      const error = new TorError(
        "limit",
        "ALLIUM_E_MEMORY_LIMIT",
        `${this.#name} holds more than ${this.limit} bytes that nobody reads; the oldest are dropped`,
      );
      oldest.holder.reclaim(error);
    }
  }

  #oldest(): Account | undefined {
    let oldest: Account | undefined;
    let since = Number.POSITIVE_INFINITY;
    for (const account of this.#accounts) {
      const time = account.holder.oldest();
      if (time < since) [oldest, since] = [account, time];
    }
    return oldest;
  }
}

class Account implements MemoryAccount {
  readonly holder: MemoryHolder;
  readonly #quota: MemoryQuota;
  #used = 0;

  constructor(holder: MemoryHolder, quota: MemoryQuota) {
    this.holder = holder;
    this.#quota = quota;
  }

  charge(bytes: number): void {
    const before = this.#used;
    this.#used += bytes;
    this.#quota.change(this, before, this.#used);
  }
}
