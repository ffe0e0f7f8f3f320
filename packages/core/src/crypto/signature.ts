// Signature verification by SubjectPublicKeyInfo (RFC 5280 4.1.2.7) with TLS's scheme names (RFC 8446 4.2.3): RSA-PSS,
// RSA PKCS#1 and ECDSA by WebCrypto, Ed25519 by our one strict verifier. Keys and ECDSA signatures are read strictly here
// first, because WebCrypto's implementations differ in what they let pass.

import { concat, equalBytes } from "../base/bytes.ts";
import { fromHex } from "../base/encoding.ts";
import { bigintToBytes, DER, DerReader, derError } from "./der.ts";
import { verifyEd25519 } from "./ed25519.ts";

export type SignatureHash = keyof typeof HASHES;

/**
 * In TLS 1.2 and in certificates any hash goes with any curve (RFC 8446 4.2.3); in TLS 1.3 each curve has its own.
 * The salt of PSS is as long as the hash.
 */
export type SignatureScheme =
  | `rsa_pss_rsae_${SignatureHash}`
  | `rsa_pkcs1_${SignatureHash}`
  | `ecdsa_${keyof typeof CURVES}_${SignatureHash}`
  | "ed25519";

const HASHES = {
  sha256: { name: "SHA-256", size: 32 },
  sha384: { name: "SHA-384", size: 48 },
  sha512: { name: "SHA-512", size: 64 },
} as const;

/** `algorithm` is the AlgorithmIdentifier (RFC 5480 2.1.1), `size` the bytes of a coordinate. */
const CURVES = {
  secp256r1: { curve: "P-256", size: 32, algorithm: "301306072a8648ce3d020106082a8648ce3d030107" },
  secp384r1: { curve: "P-384", size: 48, algorithm: "301006072a8648ce3d020106052b81040022" },
  secp521r1: { curve: "P-521", size: 66, algorithm: "301006072a8648ce3d020106052b81040023" },
} as const;
/** rsaEncryption with NULL parameters (RFC 3279 2.3.1). */
const RSA_ALGORITHM = "300d06092a864886f70d0101010500";
/** id-Ed25519 (RFC 8410 3). */
const ED25519_ALGORITHM = "300506032b6570";

/** Whether `signature` over `data` is of the key in `spki` under `scheme`. Keys of another type give false. */
export async function verifySignature(
  scheme: SignatureScheme,
  spki: Uint8Array,
  signature: Uint8Array,
  data: Uint8Array,
): Promise<boolean> {
  try {
    if (scheme === "ed25519") return verifyEd25519(signature, data, readSpki(spki, ED25519_ALGORITHM));
    if (scheme.startsWith("ecdsa")) return await verifyEcdsa(scheme, spki, signature, data);
    return await verifyRsa(scheme, spki, signature, data);
  } catch {
    // Malformed keys and signatures are as wrong as forged ones.
    return false;
  }
}

async function verifyRsa(scheme: string, spki: Uint8Array, signature: Uint8Array, data: Uint8Array) {
  const key = new DerReader(readSpki(spki, RSA_ALGORITHM));
  const numbers = key.enter();
  key.end();
  const modulus = numbers.unsigned();
  numbers.unsigned();
  numbers.end();
  // RFC 8017 8.1.2 and 8.2.2; OpenSSL lets shorter ones pass.
  if (signature.length !== Math.ceil(modulus.toString(2).length / 8)) return false;
  const name = scheme.startsWith("rsa_pss") ? "RSA-PSS" : "RSASSA-PKCS1-v1_5";
  const hash = hashOf(scheme);
  const imported = await crypto.subtle.importKey("spki", spki, { name, hash: hash.name }, false, ["verify"]);
  // The salt is as long as the hash (RFC 8446 4.2.3).
  return crypto.subtle.verify({ name, saltLength: hash.size }, imported, signature, data);
}

async function verifyEcdsa(scheme: string, spki: Uint8Array, signature: Uint8Array, data: Uint8Array) {
  const { curve, size, algorithm } = CURVES[scheme.slice(6, 15) as keyof typeof CURVES];
  const point = readSpki(spki, algorithm);
  if (point.length !== 1 + 2 * size || point[0] !== 4) return false;
  const name = "ECDSA";
  const key = await crypto.subtle.importKey("raw", point, { name, namedCurve: curve }, false, ["verify"]);
  return crypto.subtle.verify({ name, hash: hashOf(scheme).name }, key, rawEcdsa(signature, size), data);
}

function hashOf(scheme: string) {
  return HASHES[scheme.slice(-6) as SignatureHash];
}

/** The key in a SubjectPublicKeyInfo whose AlgorithmIdentifier is `algorithm` (hexadecimal). */
function readSpki(spki: Uint8Array, algorithm: string): Uint8Array {
  const outer = new DerReader(spki);
  const fields = outer.enter();
  outer.end();
  if (!equalBytes(fields.read(DER.sequence).raw, fromHex(algorithm))) throw derError("key of another type");
  const key = fields.bitString();
  fields.end();
  return key;
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
  if (r >= bound || s >= bound) throw derError("ECDSA number too large");
  return concat(bigintToBytes(r, size), bigintToBytes(s, size));
}
