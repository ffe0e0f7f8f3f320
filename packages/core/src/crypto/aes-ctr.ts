// AES-CTR (NIST SP 800-38A 6.5) in one call, by noble: for what is short, or wanted at once.

import { ctr } from "@noble/ciphers/aes.js";

/** The bytes encrypted, or decrypted. @param key 16 or 32 bytes @param counter the first counter block, 16 bytes */
export function aesCtr(key: Uint8Array, counter: Uint8Array, bytes: Uint8Array): Uint8Array {
  return ctr(key, counter).encrypt(bytes);
}
