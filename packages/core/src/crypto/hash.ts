// One-shot hashes: SHA-1, SHA-2, SHA-3 and SHAKE256 (FIPS 180-4, FIPS 202), by noble unless said otherwise.
// Not here: the running SHA-1 of relay cells, which is our own.

import { sha1 as nobleSha1 } from "@noble/hashes/legacy.js";
import { sha256 as nobleSha256, sha384 as nobleSha384, sha512 as nobleSha512 } from "@noble/hashes/sha2.js";
import { sha3_256 as nobleSha3, shake256 as nobleShake } from "@noble/hashes/sha3.js";

export function sha1(bytes: Uint8Array): Uint8Array {
  return nobleSha1(bytes);
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes);
}

/** The same by the platform, which is faster where many are made at a time. */
export async function sha256Async(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

export function sha384(bytes: Uint8Array): Uint8Array {
  return nobleSha384(bytes);
}

export function sha512(bytes: Uint8Array): Uint8Array {
  return nobleSha512(bytes);
}

export function sha3_256(bytes: Uint8Array): Uint8Array {
  return nobleSha3(bytes);
}

/** `length` bytes of SHAKE256. */
export function shake256(bytes: Uint8Array, length: number): Uint8Array {
  return nobleShake(bytes, { dkLen: length });
}

export { digestBytes, RunningSha1 } from "./running-sha1.ts";
