// The AEADs of TLS 1.3 (RFC 8446 B.4) in one shape: AES-GCM by the platform's own ciphers or by WebCrypto,
// ChaCha20-Poly1305 (RFC 8439) by noble.

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { protocolViolation } from "../base/errors.ts";
import type { Ciphers } from "../base/ports.ts";

export type AeadKind = "aes-128-gcm" | "aes-256-gcm" | "chacha20-poly1305";

/**
 * Nonces are 12 bytes, tags 16 bytes at the end of the ciphertext. Results come at once where the cipher is synchronous:
 * whoever waits for them only then saves a turn for every record.
 */
export interface AeadKey {
  /** What is given may be changed as soon as this returns, be it a promise: WebCrypto copies it at once. */
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** @throws TorError `protocol-violation` when the tag does not fit; a promise rejects with it */
  open(nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Overwrites the key, where it is in our hands; it must not be used afterwards. */
  destroy(): void;
}

/** Prepares a key of 16 or 32 bytes, as `kind` wants. */
export async function importAeadKey(kind: AeadKind, key: Uint8Array, ciphers?: Ciphers): Promise<AeadKey> {
  if (kind === "chacha20-poly1305") return chachaKey(Uint8Array.from(key));
  if (ciphers !== undefined) return platformGcmKey(ciphers, key);
  const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
  return webGcmKey(imported);
}

function webGcmKey(key: CryptoKey): AeadKey {
  return {
    async seal(iv, additionalData, plaintext) {
      return new Uint8Array(
        await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, plaintext),
      );
    },
    async open(iv, additionalData, ciphertext) {
      try {
        return new Uint8Array(
          await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, ciphertext),
        );
      } catch (cause) {
        throw forged(cause);
      }
    },
    // The platform holds the key, and gives it to nobody.
    destroy() {},
  };
}

function platformGcmKey(ciphers: Ciphers, key: Uint8Array): AeadKey {
  const cipher = ciphers.gcm(key);
  return {
    seal: (nonce, aad, plaintext) => cipher.seal(nonce, aad, plaintext),
    open(nonce, aad, ciphertext) {
      const plaintext = cipher.open(nonce, aad, ciphertext);
      if (plaintext === undefined) throw forged();
      return plaintext;
    },
    destroy() {},
  };
}

function chachaKey(key: Uint8Array): AeadKey {
  return {
    seal: (nonce, aad, plaintext) => chacha20poly1305(key, nonce, aad).encrypt(plaintext),
    open(nonce, aad, ciphertext) {
      try {
        return chacha20poly1305(key, nonce, aad).decrypt(ciphertext);
      } catch (cause) {
        throw forged(cause);
      }
    },
    destroy() {
      key.fill(0);
    },
  };
}

function forged(cause?: unknown) {
  return protocolViolation("ALLIUM_E_AEAD", "a ciphertext fails its authentication", cause);
}
