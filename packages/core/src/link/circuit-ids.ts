// Circuit ids of a link's initiator (tor-spec 5.1.1): random, top bit set, never one in use or one whose cells may still
// be on their way.

import { TorError } from "../base/errors.ts";
import { randomInt } from "../base/random.ts";

/** The initiator's ids have the top bit set on link protocol 4 and above. */
const TOP_BIT = 0x80000000;
/** tor-spec 5.1.1: "today's Tor stops after 64". */
const MAX_ATTEMPTS = 64;
/**
 * Ids of circuits that we destroyed, remembered to tell their late cells from cells for no circuit at all. A relay that
 * has our DESTROY answers nothing, so the oldest must be forgotten at some time: after far more circuits than a client
 * closes in the time that a cell is on its way.
 */
const RETIRED_KEPT = 4096;

export class CircuitIds {
  /** By id, whether the answer to CREATE may still be on its way. */
  readonly #retired = new Map<number, boolean>();

  /** A fresh id for which `inUse` is false. @throws TorError `limit` */
  allocate(inUse: (id: number) => boolean): number {
    for (let i = 0; i < MAX_ATTEMPTS; i++) {
      // Nonzero below the top bit too, as C tor's are.
      const id = TOP_BIT + 1 + randomInt(TOP_BIT - 1);
      if (!inUse(id) && !this.#retired.has(id)) return id;
    }
    throw new TorError("limit", "ALLIUM_E_LINK_NO_CIRCUIT_ID", "the link has no circuit id free");
  }

  /** Remembers an id whose circuit we destroyed. */
  retire(id: number, answerPending: boolean): void {
    this.#retired.set(id, answerPending);
    if (this.#retired.size <= RETIRED_KEPT) return;
    const [oldest] = this.#retired.keys();
    if (oldest !== undefined) this.#retired.delete(oldest);
  }

  isRetired(id: number): boolean {
    return this.#retired.has(id);
  }

  /** Whether CREATED may come for this retired id; it may once. */
  takeAnswer(id: number): boolean {
    const pending = this.#retired.get(id) === true;
    if (pending) this.#retired.set(id, false);
    return pending;
  }

  /** The relay destroyed it too: nothing more can come. */
  release(id: number): void {
    this.#retired.delete(id);
  }
}
