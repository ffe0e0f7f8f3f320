// How the relays fared that this client lately used as its first hop: whether a guard, or a directory cache, is worth it.

import type { TorErrorCode } from "../base/errors.ts";
import type { HopInfo } from "../path/registry.ts";

/** A relay as first hop of this client's circuits, since it was first used as such. */
export interface RelayHealth {
  /** Empty for a fallback directory, which no consensus has named yet. */
  readonly nickname: string;
  /** RSA identity, 40 upper-case hex digits. */
  readonly rsaId: string;
  readonly built: number;
  /** For whatever reason: it may have been a relay behind this one. */
  readonly failed: number;
  /** RFC 3339. */
  readonly lastFailure?: { readonly code: TorErrorCode; readonly at: string };
}

/** Guards and caches that one client uses within days are fewer. */
const MAX_RELAYS = 32;

export class RelayHealthList {
  /** By RSA identity, the one used last at the end. */
  readonly #relays = new Map<string, RelayHealth>();

  built(hop: HopInfo): void {
    const known = this.#of(hop);
    this.#put({ ...known, built: known.built + 1 });
  }

  /** @param at milliseconds since the epoch */
  failed(hop: HopInfo, code: TorErrorCode, at: number): void {
    const known = this.#of(hop);
    const lastFailure = { code, at: new Date(at).toISOString() };
    this.#put({ ...known, failed: known.failed + 1, lastFailure });
  }

  /** The one used last at first. */
  list(): RelayHealth[] {
    return [...this.#relays.values()].reverse();
  }

  #of({ nickname, rsaId }: HopInfo): RelayHealth {
    const known = this.#relays.get(rsaId) ?? { nickname, rsaId, built: 0, failed: 0 };
    return nickname === "" ? known : { ...known, nickname };
  }

  #put(relay: RelayHealth): void {
    this.#relays.delete(relay.rsaId);
    this.#relays.set(relay.rsaId, relay);
    const oldest = this.#relays.keys().next().value;
    if (this.#relays.size > MAX_RELAYS && oldest !== undefined) this.#relays.delete(oldest);
  }
}
