// X25519 (RFC 7748): by WebCrypto where the platform has it, by noble elsewhere. An all-zero result is always refused.

import { x25519 } from "@noble/curves/ed25519.js";
import { allZero, concat } from "../base/bytes.ts";
import { protocolViolation, type TorError } from "../base/errors.ts";
import { randomBytes } from "../base/random.ts";

export interface X25519KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The 32-byte shared secret. @throws TorError when the peer's key gives no contribution (all zero) or is malformed */
  diffieHellman(peer: Uint8Array): Promise<Uint8Array>;
}

const ALGORITHM = { name: "X25519" };
/** PKCS#8 wrapping of an X25519 private key (RFC 8410 7). */
const PKCS8_PREFIX = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32);

/** A fresh key pair. */
export async function generateX25519(): Promise<X25519KeyPair> {
  try {
    const pair = (await crypto.subtle.generateKey(ALGORITHM, false, ["deriveBits"])) as CryptoKeyPair;
    const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    return { publicKey, diffieHellman: (peer) => viaWebCrypto(pair.privateKey, peer) };
  } catch {
    return viaNoble(randomBytes(32));
  }
}

/** The key pair of a given 32-byte private key. */
export async function x25519FromPrivate(privateKey: Uint8Array): Promise<X25519KeyPair> {
  try {
    const pkcs8 = concat(PKCS8_PREFIX, privateKey);
    const key = await crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, false, ["deriveBits"]);
    pkcs8.fill(0);
    return { publicKey: x25519.getPublicKey(privateKey), diffieHellman: (peer) => viaWebCrypto(key, peer) };
  } catch {
    return viaNoble(privateKey);
  }
}

/** The same by noble alone, for platforms without X25519 in WebCrypto. */
export function viaNoble(privateKey: Uint8Array): X25519KeyPair {
  const secret = Uint8Array.from(privateKey);
  return {
    publicKey: x25519.getPublicKey(secret),
    async diffieHellman(peer) {
      if (peer.length !== 32) throw refused();
      try {
        return x25519.getSharedSecret(secret, peer);
      } catch (cause) {
        throw refused(cause);
      }
    },
  };
}

async function viaWebCrypto(privateKey: CryptoKey, peer: Uint8Array): Promise<Uint8Array> {
  if (peer.length !== 32) throw refused();
  let shared: Uint8Array;
  try {
    const key = await crypto.subtle.importKey("raw", peer, ALGORITHM, true, []);
    shared = new Uint8Array(await crypto.subtle.deriveBits({ ...ALGORITHM, public: key }, privateKey, 256));
  } catch (cause) {
    throw refused(cause);
  }
  // RFC 7748 6.1; most platforms refuse it themselves, but not all have.
  if (allZero(shared)) throw refused();
  return shared;
}

function refused(cause?: unknown): TorError {
  return protocolViolation(
    "ALLIUM_E_X25519",
    "the peer's X25519 key is malformed or gives an all-zero secret",
    cause,
  );
}
