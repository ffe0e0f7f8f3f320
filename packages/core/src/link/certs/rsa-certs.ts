// The RSA side of a relay's certificates: its self-signed identity (type 2, tor-spec 4.2) and the cross-certificate by
// which that identity vouches for the Ed25519 one (type 7, cert-spec 2.3).

import { concat, equalBytes, Reader } from "../../base/bytes.ts";
import { utf8 } from "../../base/encoding.ts";
import { sha256 } from "../../crypto/hash.ts";
import { parseRsaPublicKey, type RsaPublicKey, verifyRsaBare } from "../../crypto/rsa.ts";
import { type Certificate, parseCertificate } from "../../tls/x509/certificate.ts";
import { certViolation } from "../errors.ts";

/** tor-spec 4.2: "a 1024-bit RSA key". */
const IDENTITY_BITS = 1024;
/** sha256WithRSAEncryption (RFC 8017 A.2.4), what relays sign their identity certificate with. */
const SHA256_WITH_RSA = "1.2.840.113549.1.1.11";
/** DigestInfo of SHA-256 before the digest (RFC 8017 9.2). */
const SHA256_DIGEST_INFO = Uint8Array.of(48, 49, 48, 13, 6, 9, 96, 134, 72, 1, 101, 3, 4, 2, 1, 5, 0, 4, 32);
/** cert-spec 2.3 */
const CROSSCERT_PREFIX = "Tor TLS RSA/Ed25519 cross-certificate";
const HOUR_MS = 3600_000;

export interface RsaIdentity {
  readonly key: RsaPublicKey;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Reads the identity certificate and checks its key and self-signature; its time is the caller's. */
export function readRsaIdentity(der: Uint8Array): RsaIdentity {
  const certificate = parse(der);
  const { publicKey, notBefore, notAfter } = certificate;
  if (publicKey.algorithm !== "rsa") throw certViolation("RSA_ID_KEY", "an identity that is no RSA key");
  if (publicKey.bits !== IDENTITY_BITS) {
    throw certViolation("RSA_ID_KEY", `an identity key of ${publicKey.bits} bits`);
  }
  const key = parseKey(publicKey.key);
  if (certificate.signatureAlgorithm.oid !== SHA256_WITH_RSA) {
    throw certViolation("RSA_ID_ALGORITHM", "the identity certificate is signed with an unknown algorithm");
  }
  const digestInfo = concat(SHA256_DIGEST_INFO, sha256(certificate.tbs));
  if (!verifyRsaBare(key, digestInfo, certificate.signature)) {
    throw certViolation("RSA_ID_SIGNATURE", "the identity certificate is not signed by its own key");
  }
  return { key, notBefore, notAfter };
}

function parse(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der);
  } catch (cause) {
    throw certViolation("RSA_ID_MALFORMED", "malformed identity certificate", cause);
  }
}

function parseKey(der: Uint8Array): RsaPublicKey {
  try {
    return parseRsaPublicKey(der);
  } catch (cause) {
    throw certViolation("RSA_ID_KEY", "the identity key is none of Tor's", cause);
  }
}

/** Checks that `key` vouches for `ed25519Id`. @returns when the cross-certificate expires, in ms since the epoch */
export function checkCrossCert(bytes: Uint8Array, key: RsaPublicKey, ed25519Id: Uint8Array): number {
  const reader = new Reader(bytes, (message) => certViolation("CROSSCERT_MALFORMED", message));
  const certified = reader.take(32);
  const expires = reader.u32() * HOUR_MS;
  const signed = concat(utf8(CROSSCERT_PREFIX), bytes.subarray(0, reader.offset));
  const signature = reader.vector(1);
  reader.end();
  if (!equalBytes(certified, ed25519Id)) {
    throw certViolation("CROSSCERT_KEY", "the RSA identity vouches for another Ed25519 identity");
  }
  if (!verifyRsaBare(key, sha256(signed), signature)) {
    throw certViolation("CROSSCERT_SIGNATURE", "forged cross-certificate");
  }
  return expires;
}
