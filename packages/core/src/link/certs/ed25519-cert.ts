// Tor's Ed25519 certificates (cert-spec 2.1).
// Not here: which certificates a relay must show (certs-cell.ts), and whether their time is over (timeliness.ts).

import { equalBytes, Reader } from "../../base/bytes.ts";
import { verifyEd25519 } from "../../crypto/ed25519.ts";
import { certViolation } from "../errors.ts";

/** cert-spec A.1 */
export const CERT_TYPE = { identityToSigning: 0x04, signingToTls: 0x05 } as const;
/** cert-spec A.4: what CERTIFIED_KEY is. The wrong 01 of relays before 0.4.5 is refused: none of them is left. */
export const KEY_TYPE = { ed25519: 0x01, sha256OfX509: 0x03 } as const;

const VERSION = 1;
const KEY_LENGTH = 32;
const SIGNATURE_LENGTH = 64;
const HOUR_MS = 3600_000;
/** cert-spec 2.2.1 */
const EXTENSION_SIGNED_WITH_KEY = 0x04;
/** cert-spec 2.1: a verifier that does not know an extension with this flag must refuse the certificate. */
const FLAG_AFFECTS_VALIDATION = 0x01;

export interface Ed25519Certificate {
  readonly certType: number;
  readonly keyType: number;
  /** 32 bytes: a key, or the digest of one. */
  readonly certifiedKey: Uint8Array;
  /** Milliseconds since the epoch; after this the certificate is of no use. */
  readonly expires: number;
  /** The signing key that the certificate carries, where it does. */
  readonly signedWith: Uint8Array | undefined;
  readonly signedPart: Uint8Array;
  readonly signature: Uint8Array;
}

/** Reads a certificate without believing it. @throws TorError for malformed ones and unknown critical extensions */
export function parseEd25519Certificate(bytes: Uint8Array): Ed25519Certificate {
  const reader = new Reader(bytes, (message) => certViolation("ED25519_LENGTH", message));
  const version = reader.u8();
  if (version !== VERSION) throw certViolation("ED25519_VERSION", `unknown version ${version}`);
  const certType = reader.u8();
  const expires = reader.u32() * HOUR_MS;
  const keyType = reader.u8();
  const certifiedKey = reader.take(KEY_LENGTH);
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
      if (signedWith !== undefined) throw certViolation("ED25519_EXTENSION", "two signing keys");
      if (length !== KEY_LENGTH) throw certViolation("ED25519_EXTENSION", `a signing key of ${length} bytes`);
      signedWith = data;
    } else if ((flags & FLAG_AFFECTS_VALIDATION) !== 0) {
      throw certViolation("CRITICAL_EXTENSION", `unknown extension ${type} affects validation`);
    }
  }
  return signedWith;
}

/**
 * Checks kind, key and signature of a certificate; its time is the caller's.
 * @param signer the key that must have signed it; where the certificate names one, it must be this one too
 */
export function checkEd25519Certificate(
  certificate: Ed25519Certificate,
  expected: {
    readonly role: "LINK" | "SIGNING";
    readonly certType: number;
    readonly keyType: number;
    readonly signer: Uint8Array;
  },
): void {
  const { role, signer } = expected;
  const { certType, keyType, signedWith } = certificate;
  if (certType !== expected.certType) {
    throw certViolation(`${role}_TYPE`, `type ${certType} where ${expected.certType} belongs`);
  }
  if (keyType !== expected.keyType) {
    throw certViolation(`${role}_KEY_TYPE`, `key type ${keyType} where ${expected.keyType} belongs`);
  }
  if (signedWith !== undefined && !equalBytes(signedWith, signer)) {
    throw certViolation(`${role}_SIGNER`, "a certificate names another key than its signer's");
  }
  if (!verifyEd25519(certificate.signature, certificate.signedPart, signer)) {
    throw certViolation(`${role}_SIGNATURE`, `forged Ed25519 certificate of type ${certType}`);
  }
}
