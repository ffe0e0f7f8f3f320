// Reads a SubjectPublicKeyInfo (RFC 5280 4.1.2.7; RFC 3279, RFC 5480, RFC 8410) in strict DER.

import { DER, DerReader, derError } from "../../crypto/der.ts";

/** The key of a SubjectPublicKeyInfo; `spki` is the whole of it in DER. */
export type SubjectPublicKey =
  /** `key` is the PKCS#1 RSAPublicKey in DER, `bits` the length of its modulus. */
  | { readonly algorithm: "rsa"; readonly key: Uint8Array; readonly bits: number; readonly spki: Uint8Array }
  /** `key` is the encoded point. */
  | {
      readonly algorithm: "ec";
      readonly key: Uint8Array;
      readonly curve: "P-256" | "P-384" | "P-521";
      readonly spki: Uint8Array;
    }
  /** `key` is 32 bytes. */
  | { readonly algorithm: "ed25519"; readonly key: Uint8Array; readonly spki: Uint8Array }
  /** A kind of key that nothing here can use. */
  | {
      readonly algorithm: "unknown";
      readonly oid: string;
      readonly key: Uint8Array;
      readonly spki: Uint8Array;
    };

/** 16384 bits, the longest in use anywhere, and the sign byte. */
const MAX_MODULUS = 2049;

const OID = {
  rsa: "1.2.840.113549.1.1.1", // RFC 3279 2.3.1
  ec: "1.2.840.10045.2.1", // RFC 5480 2.1
  ed25519: "1.3.101.112", // RFC 8410 3
} as const;

/** RFC 5480 2.1.1.1. */
const CURVES: Readonly<Record<string, "P-256" | "P-384" | "P-521">> = {
  "1.2.840.10045.3.1.7": "P-256",
  "1.3.132.0.34": "P-384",
  "1.3.132.0.35": "P-521",
};

/** @throws TorError `ALLIUM_E_DER` */
export function readPublicKey(reader: DerReader): SubjectPublicKey {
  const { contents, raw: spki } = reader.read(DER.sequence);
  const fields = new DerReader(contents);
  const algorithm = fields.enter();
  const oid = algorithm.oid();
  const parameters = algorithm.atEnd ? undefined : algorithm.read();
  algorithm.end();
  const key = fields.bitString();
  fields.end();
  if (oid === OID.rsa) {
    if (parameters?.tag !== DER.null || parameters.contents.length > 0) throw derError("RSA parameters");
    return { algorithm: "rsa", key, bits: rsaBits(key), spki };
  }
  if (oid === OID.ed25519) {
    if (parameters !== undefined || key.length !== 32) throw derError("Ed25519 key");
    return { algorithm: "ed25519", key, spki };
  }
  if (oid === OID.ec && parameters?.tag === DER.oid) {
    const curve = CURVES[new DerReader(parameters.raw).oid()];
    if (curve !== undefined) return { algorithm: "ec", key, curve, spki };
  }
  return { algorithm: "unknown", oid, key, spki };
}

/** Length of the modulus of an RSAPublicKey. */
function rsaBits(key: Uint8Array): number {
  const outer = new DerReader(key);
  const numbers = outer.enter();
  outer.end();
  const modulus = numbers.read(DER.integer).contents;
  const [first, second] = modulus;
  const minimal = first !== 0 || (second ?? 0) >= 0x80;
  if (first === undefined || first >= 0x80 || !minimal || modulus.length > MAX_MODULUS) {
    throw derError("RSA modulus");
  }
  numbers.unsigned();
  numbers.end();
  const magnitude = first === 0 ? modulus.subarray(1) : modulus;
  return 8 * magnitude.length - (Math.clz32(magnitude[0] as number) - 24);
}
