// RSA keys in PKCS#1 form, and Tor's signatures: PKCS#1 v1.5 around the bare digest, without a DigestInfo
// (dir-spec 1.3, cert-spec 2.3; RFC 8017 9.2 apart from that). WebCrypto cannot check these, so the arithmetic is ours;
// all of it is on public data.

import { equalBytes } from "../base/bytes.ts";
import { bigintToBytes, bytesToBigint, DerReader, derError } from "./der.ts";
import { sha1 } from "./hash.ts";

export interface RsaPublicKey {
  readonly n: bigint;
  readonly e: bigint;
  /** Length of the modulus. */
  readonly bits: number;
  /** PKCS#1 RSAPublicKey. */
  readonly der: Uint8Array;
}

/** Tor allows one exponent only (tor-spec 0.3). */
const EXPONENT = 65537n;
const MIN_BITS = 1024;
const MAX_BITS = 4096;
/** Longer than the DER of any key allowed here: 4096 bits of modulus, the exponent, and their frames. */
const MAX_DER = 600;
/** PKCS#1 wants at least eight bytes of padding (RFC 8017 9.2). */
const MIN_PADDING = 8;

/** Reads an RSAPublicKey (RFC 8017 A.1.1). @throws TorError for malformed DER, another exponent or an unusual size */
export function parseRsaPublicKey(der: Uint8Array): RsaPublicKey {
  if (der.length > MAX_DER) throw derError("RSA key longer than 4096 bits");
  const outer = new DerReader(der);
  const key = outer.enter();
  outer.end();
  const n = key.unsigned();
  const e = key.unsigned();
  key.end();
  const bits = n.toString(2).length;
  if (e !== EXPONENT) throw derError("RSA exponent other than 65537");
  if (bits < MIN_BITS || bits > MAX_BITS || bits % 8 !== 0) throw derError(`RSA key of ${bits} bits`);
  if (n % 2n === 0n) throw derError("even RSA modulus");
  return { n, e, bits, der: Uint8Array.from(der) };
}

/** SHA-1 of the key's DER: a relay's or an authority's RSA identity, 20 bytes. */
export function rsaId(key: RsaPublicKey): Uint8Array {
  return sha1(key.der);
}

/** Whether `signature` is the key's, of exactly `digest`: 00 01 FF… 00 digest, the whole block compared. */
export function verifyRsaBare(key: RsaPublicKey, digest: Uint8Array, signature: Uint8Array): boolean {
  const size = key.bits / 8;
  if (signature.length !== size || size < digest.length + 3 + MIN_PADDING) return false;
  const s = bytesToBigint(signature);
  if (s >= key.n) return false;
  const expected = new Uint8Array(size).fill(0xff);
  expected[0] = 0;
  expected[1] = 1;
  expected[size - digest.length - 1] = 0;
  expected.set(digest, size - digest.length);
  return equalBytes(bigintToBytes(power65537(s, key.n), size), expected);
}

/** s^65537 mod n: sixteen squarings and one product. */
function power65537(s: bigint, n: bigint): bigint {
  let power = s;
  for (let i = 0; i < 16; i++) power = (power * power) % n;
  return (power * s) % n;
}
