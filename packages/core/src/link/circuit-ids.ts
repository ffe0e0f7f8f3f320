// Circuit ids of a link's initiator (tor-spec 5.1.1): random, top bit set, never one in use or one whose cells may still
// be on their way.

import { TorError } from "../base/errors.ts";
import { randomInt } from "../base/random.ts";

/** The initiator's ids have the top bit set on link protocol 4 and above. */
const TOP_BIT = 0x80000000;
/** C tor gives up after as many tries (MAX_CIRCID_ATTEMPTS). */
const MAX_ATTEMPTS = 64;
/** Ids of circuits that we destroyed, remembered so that their late cells are told from cells for no circuit at all. */
const RETIRED_KEPT = 4096;

export class CircuitIds {
  readonly #retired = new Set<number>();

  /** A fresh id for which `inUse` is false. */
  allocate(inUse: (id: number) => boolean): number {
    for (let i = 0; i < MAX_ATTEMPTS; i++) {
      const id = TOP_BIT + randomInt(TOP_BIT);
      if (id !== TOP_BIT && !inUse(id) && !this.#retired.has(id)) return id;
    }
    throw new TorError("limit", "ALLIUM_E_LINK_NO_CIRCUIT_ID", "the link has no circuit id free");
  }

  /** Marks an id whose circuit we destroyed; the oldest mark goes first. */
  retire(id: number): void {
    this.#retired.add(id);
    if (this.#retired.size <= RETIRED_KEPT) return;
    const [oldest] = this.#retired;
    if (oldest !== undefined) this.#retired.delete(oldest);
  }

  isRetired(id: number): boolean {
    return this.#retired.has(id);
  }

  /** The relay destroyed it too: nothing more can come. */
  release(id: number): void {
    this.#retired.delete(id);
  }
}
