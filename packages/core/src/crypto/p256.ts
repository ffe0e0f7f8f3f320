// ECDH on P-256 (SEC 1, FIPS 186-5) by WebCrypto, for TLS key shares (RFC 8446 4.2.8.2).

import { protocolViolation } from "../base/errors.ts";

const ALGORITHM = { name: "ECDH", namedCurve: "P-256" };

export interface P256KeyPair {
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array;
  /** The 32-byte x-coordinate. @throws TorError when the peer's point is not uncompressed or not on the curve */
  diffieHellman(peer: Uint8Array): Promise<Uint8Array>;
}

/** A fresh key pair. */
export async function generateP256(): Promise<P256KeyPair> {
  const pair = (await crypto.subtle.generateKey(ALGORITHM, false, ["deriveBits"])) as CryptoKeyPair;
  return p256Pair(pair.privateKey, new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
}

/** A key pair of a WebCrypto private key and its uncompressed public point. */
export function p256Pair(privateKey: CryptoKey, publicKey: Uint8Array): P256KeyPair {
  return { publicKey, diffieHellman: (peer) => diffieHellman(privateKey, peer) };
}

async function diffieHellman(privateKey: CryptoKey, peer: Uint8Array): Promise<Uint8Array> {
  const refused = (cause?: unknown) =>
    protocolViolation("ALLIUM_E_P256", "the peer's P-256 key share is not a point of the curve", cause);
  if (peer.length !== 65 || peer[0] !== 4) throw refused();
  try {
    // importKey checks that the point is on the curve (WebCrypto 23.7).
    const key = await crypto.subtle.importKey("raw", peer, ALGORITHM, true, []);
    return new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: key }, privateKey, 256));
  } catch (cause) {
    throw refused(cause);
  }
}
