// ECDH on P-256 and P-384 (SEC 1, FIPS 186-5) by WebCrypto, for TLS key shares (RFC 8446 4.2.8.2).

import { protocolViolation } from "../base/errors.ts";

/** Bytes of a coordinate. */
const SIZES = { "P-256": 32, "P-384": 48 } as const;
export type EcdhCurve = keyof typeof SIZES;

export interface EcdhKeyPair {
  /** Uncompressed point: 65 or 97 bytes. */
  readonly publicKey: Uint8Array;
  /** The x-coordinate, 32 or 48 bytes. @throws TorError when the peer's point is not uncompressed or not on the curve */
  diffieHellman(peer: Uint8Array): Promise<Uint8Array>;
}

/** A fresh key pair. */
export async function generateEcdh(curve: EcdhCurve): Promise<EcdhKeyPair> {
  const algorithm = { name: "ECDH", namedCurve: curve };
  const pair = (await crypto.subtle.generateKey(algorithm, false, ["deriveBits"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return ecdhPair(curve, pair.privateKey, publicKey);
}

/** A key pair of a WebCrypto private key and its uncompressed public point. */
export function ecdhPair(curve: EcdhCurve, privateKey: CryptoKey, publicKey: Uint8Array): EcdhKeyPair {
  return { publicKey, diffieHellman: (peer) => diffieHellman(curve, privateKey, peer) };
}

async function diffieHellman(curve: EcdhCurve, privateKey: CryptoKey, peer: Uint8Array): Promise<Uint8Array> {
  const refused = (cause?: unknown) =>
    protocolViolation("ALLIUM_E_ECDH", `the peer's ${curve} key share is not a point of the curve`, cause);
  const size = SIZES[curve];
  if (peer.length !== 1 + 2 * size || peer[0] !== 4) throw refused();
  try {
    // importKey checks that the point is on the curve (WebCrypto 23.7).
    const algorithm = { name: "ECDH", namedCurve: curve };
    const key = await crypto.subtle.importKey("raw", peer, algorithm, true, []);
    return new Uint8Array(
      await crypto.subtle.deriveBits({ name: "ECDH", public: key }, privateKey, 8 * size),
    );
  } catch (cause) {
    throw refused(cause);
  }
}
