// Ed25519 verification (RFC 8032), one strict verifier on every platform so that no two disagree about a signature.

import { ed25519 } from "@noble/curves/ed25519.js";

/**
 * Whether `signature` (64 bytes) over `message` is of `publicKey` (32 bytes). Strict: canonical encodings only, S below
 * the group order, keys of small order refused.
 */
export function verifyEd25519(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    // `zip215: false` is noble's strict mode: it refuses non-canonical points and keys of small order.
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    // Wrong lengths.
    return false;
  }
}
