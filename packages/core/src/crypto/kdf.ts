// Key derivation: HMAC (RFC 2104), HKDF (RFC 5869), and Tor's KDF-TOR (tor-spec 5.2.1).

import { expand, extract } from "@noble/hashes/hkdf.js";
import { hmac as nobleHmac } from "@noble/hashes/hmac.js";
import { sha256, sha384 } from "@noble/hashes/sha2.js";
import { concat } from "../base/bytes.ts";
import { sha1 } from "./hash.ts";

export type KdfHash = "sha256" | "sha384";

const HASHES = { sha256, sha384 } as const;

/** HMAC of `data` under `key`; 32 or 48 bytes. */
export function hmac(hash: KdfHash, key: Uint8Array, data: Uint8Array): Uint8Array {
  return nobleHmac(HASHES[hash], key, data);
}

export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  return hmac("sha256", key, data);
}

/** HKDF-Extract (RFC 5869 2.2). */
export function hkdfExtract(hash: KdfHash, salt: Uint8Array, ikm: Uint8Array): Uint8Array {
  return extract(HASHES[hash], ikm, salt);
}

/** HKDF-Expand (RFC 5869 2.3) to `length` bytes. */
export function hkdfExpand(hash: KdfHash, prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return expand(HASHES[hash], prk, info, length);
}

/** HKDF-SHA256 as a whole; KDF-RFC5869 of tor-spec 5.2.2. */
export function hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return hkdfExpand("sha256", hkdfExtract("sha256", salt, ikm), info, length);
}

/** KDF-TOR: H(K0 | 0) | H(K0 | 1) | … with SHA-1, cut to `length` bytes (5,120 at most). */
export function kdfTor(k0: Uint8Array, length: number): Uint8Array {
  if (length > 256 * 20) throw new RangeError("KDF-TOR gives 5,120 bytes at most");
  const blocks: Uint8Array[] = [];
  for (let i = 0; i * 20 < length; i++) blocks.push(sha1(concat(k0, Uint8Array.of(i))));
  return concat(...blocks).slice(0, length);
}
