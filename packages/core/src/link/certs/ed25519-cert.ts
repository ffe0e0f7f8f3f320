// Tor's Ed25519 certificates (cert-spec 2.1).

import { Reader } from "../../base/bytes.ts";
import { verifyEd25519 } from "../../crypto/ed25519.ts";
import { certViolation } from "../errors.ts";

/** cert-spec A.1 */
export const CERT_TYPE = { identityToSigning: 0x04, signingToTls: 0x05 } as const;
/** cert-spec A.4: what CERTIFIED_KEY is. */
export const KEY_TYPE = { ed25519: 0x01, sha256OfX509: 0x03 } as const;

const VERSION = 1;
const SIGNATURE_LENGTH = 64;
const HOUR_MS = 3600_000;
/** cert-spec 2.2.1 */
const EXTENSION_SIGNED_WITH_KEY = 0x04;
/** A verifier that does not know an extension with this flag must refuse the certificate. */
const FLAG_AFFECTS_VALIDATION = 0x01;

export interface Ed25519Certificate {
  readonly certType: number;
  readonly keyType: number;
  readonly certifiedKey: Uint8Array;
  /** Milliseconds since the epoch; the certificate is of no use from then on. */
  readonly expires: number;
  /** The signing key that the certificate carries, where it does. */
  readonly signedWith: Uint8Array | undefined;
  readonly signedPart: Uint8Array;
  readonly signature: Uint8Array;
}

/** Reads a certificate without believing it. @throws TorError for malformed ones and unknown critical extensions */
export function parseEd25519Certificate(bytes: Uint8Array): Ed25519Certificate {
  const reader = new Reader(bytes, (message) => certViolation(`Ed25519 certificate: ${message}`));
  if (reader.u8() !== VERSION) throw certViolation("Ed25519 certificate of an unknown version");
  const certType = reader.u8();
  const expires = reader.u32() * HOUR_MS;
  const keyType = reader.u8();
  const certifiedKey = reader.take(32);
  const signedWith = readExtensions(reader);
  const signedPart = bytes.subarray(0, reader.offset);
  const signature = reader.take(SIGNATURE_LENGTH);
  reader.end();
  return { certType, keyType, certifiedKey, expires, signedWith, signedPart, signature };
}

function readExtensions(reader: Reader): Uint8Array | undefined {
  let signedWith: Uint8Array | undefined;
  for (let left = reader.u8(); left > 0; left--) {
    const length = reader.u16();
    const type = reader.u8();
    const flags = reader.u8();
    const data = reader.take(length);
    if (type === EXTENSION_SIGNED_WITH_KEY) {
      if (signedWith !== undefined) throw certViolation("two signing keys in one certificate");
      if (data.length !== 32) throw certViolation("a signing key of the wrong length");
      signedWith = data;
    } else if ((flags & FLAG_AFFECTS_VALIDATION) !== 0) {
      throw certViolation(`unknown extension ${type} that affects validation`);
    }
  }
  return signedWith;
}

/**
 * Checks kind, key and signature of a certificate; its time is the caller's.
 * @param signer the key that must have signed it, also where the certificate names one itself
 */
export function checkEd25519Certificate(
  certificate: Ed25519Certificate,
  expected: { readonly certType: number; readonly keyType: number; readonly signer: Uint8Array },
): void {
  if (certificate.certType !== expected.certType) {
    throw certViolation(`certificate of type ${certificate.certType} where ${expected.certType} belongs`);
  }
  if (certificate.keyType !== expected.keyType) {
    throw certViolation(`certificate of key type ${certificate.keyType} where ${expected.keyType} belongs`);
  }
  const { signedWith } = certificate;
  if (signedWith?.some((byte, i) => byte !== expected.signer[i])) {
    throw certViolation("certificate names another signing key than its signer");
  }
  if (!verifyEd25519(certificate.signature, certificate.signedPart, expected.signer)) {
    throw certViolation(`forged certificate of type ${certificate.certType}`);
  }
}
