// CREATE_FAST (tor-spec 5.1.5): keys from two random values that only TLS protects. For the first hop alone, while no onion
// key is known.

import { concat, equalBytes } from "../../base/bytes.ts";
import { kdfTor } from "../../crypto/kdf.ts";
import { handshakeFailed } from "../errors.ts";

/** HASH_LEN of tor-spec 0.3 */
const HASH = 20;

/** Length of our half, X. */
export const FAST_KEY_LENGTH = HASH;

/**
 * Completes the handshake with CREATED_FAST's body, which begins with Y | KH.
 * @returns `length` bytes of key material. @throws TorError when KH does not prove knowledge of the keys
 */
export function completeFast(x: Uint8Array, body: Uint8Array, length: number): Uint8Array {
  const y = body.subarray(0, HASH);
  const proof = body.subarray(HASH, 2 * HASH);
  const derived = kdfTor(concat(x, y), HASH + length);
  if (!equalBytes(derived.subarray(0, HASH), proof))
    throw handshakeFailed("the relay does not know the keys");
  return derived.slice(HASH);
}
