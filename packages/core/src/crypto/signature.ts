// Signature verification by SubjectPublicKeyInfo with TLS's scheme names (RFC 8446 4.2.3): RSA-PSS, RSA PKCS#1, ECDSA by
// WebCrypto, Ed25519 by our one strict verifier.

import { concat } from "../base/bytes.ts";
import { bigintToBytes, DerReader } from "./der.ts";
import { verifyEd25519 } from "./ed25519.ts";

export type SignatureScheme =
  | "rsa_pss_rsae_sha256"
  | "rsa_pss_rsae_sha384"
  | "rsa_pss_rsae_sha512"
  | "rsa_pkcs1_sha256"
  | "rsa_pkcs1_sha384"
  | "rsa_pkcs1_sha512"
  | "ecdsa_secp256r1_sha256"
  | "ecdsa_secp384r1_sha384"
  | "ecdsa_secp521r1_sha512"
  | "ed25519";

const HASH_NAMES: Record<string, string> = { sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" };
const HASH_LENGTHS: Record<string, number> = { sha256: 32, sha384: 48, sha512: 64 };
const CURVES: Record<string, { name: string; size: number }> = {
  secp256r1: { name: "P-256", size: 32 },
  secp384r1: { name: "P-384", size: 48 },
  secp521r1: { name: "P-521", size: 66 },
};
/** An Ed25519 SPKI (RFC 8410 4) is this and the key. */
const ED25519_SPKI_PREFIX = Uint8Array.of(48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0);

/** Whether `signature` over `data` is of the key in `spki` under `scheme`. Keys of another type give false. */
export async function verifySignature(
  scheme: SignatureScheme,
  spki: Uint8Array,
  signature: Uint8Array,
  data: Uint8Array,
): Promise<boolean> {
  try {
    if (scheme === "ed25519") return verifyEd25519Spki(spki, signature, data);
    const hash = scheme.slice(-6);
    if (scheme.startsWith("ecdsa"))
      return await verifyEcdsa(scheme.split("_")[1] as string, hash, spki, signature, data);
    return await verifyRsa(scheme.startsWith("rsa_pss"), hash, spki, signature, data);
  } catch {
    // Malformed keys and signatures are as wrong as forged ones.
    return false;
  }
}

function verifyEd25519Spki(spki: Uint8Array, signature: Uint8Array, data: Uint8Array): boolean {
  const prefix = ED25519_SPKI_PREFIX;
  if (spki.length !== prefix.length + 32 || prefix.some((byte, i) => spki[i] !== byte)) return false;
  return verifyEd25519(signature, data, spki.subarray(prefix.length));
}

async function verifyRsa(
  pss: boolean,
  hash: string,
  spki: Uint8Array,
  signature: Uint8Array,
  data: Uint8Array,
) {
  const name = pss ? "RSA-PSS" : "RSASSA-PKCS1-v1_5";
  const key = await crypto.subtle.importKey("spki", spki, { name, hash: HASH_NAMES[hash] }, false, [
    "verify",
  ]);
  // The salt is as long as the hash (RFC 8446 4.2.3).
  return crypto.subtle.verify({ name, saltLength: HASH_LENGTHS[hash] }, key, signature, data);
}

async function verifyEcdsa(
  curve: string,
  hash: string,
  spki: Uint8Array,
  signature: Uint8Array,
  data: Uint8Array,
) {
  const { name, size } = CURVES[curve] as { name: string; size: number };
  const key = await crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: name }, false, [
    "verify",
  ]);
  return crypto.subtle.verify(
    { name: "ECDSA", hash: HASH_NAMES[hash] },
    key,
    rawEcdsa(signature, size),
    data,
  );
}

/** r | s of an ECDSA-Sig-Value (RFC 3279 2.2.3), each `size` bytes. */
function rawEcdsa(der: Uint8Array, size: number): Uint8Array {
  const outer = new DerReader(der);
  const pair = outer.enter();
  outer.end();
  const r = pair.unsigned();
  const s = pair.unsigned();
  pair.end();
  const bound = 1n << BigInt(8 * size);
  if (r >= bound || s >= bound) throw new RangeError("an ECDSA number is too large");
  return concat(bigintToBytes(r, size), bigintToBytes(s, size));
}
