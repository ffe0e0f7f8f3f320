// The RSA side of a relay's certificates: its self-signed identity (type 2, tor-spec 4.2) and the cross-certificate by
// which that identity vouches for the Ed25519 one (type 7, cert-spec 2.3).

import { concat, Reader } from "../../base/bytes.ts";
import { utf8 } from "../../base/encoding.ts";
import { sha256 } from "../../crypto/hash.ts";
import { parseRsaPublicKey, type RsaPublicKey, verifyRsaBare } from "../../crypto/rsa.ts";
import { parseCertificate } from "../../tls/x509/certificate.ts";
import { certViolation } from "../errors.ts";

/** tor-spec 0.3: identity keys are RSA-1024. */
const IDENTITY_BITS = 1024;
/** sha256WithRSAEncryption (RFC 8017 A.2.4), what relays sign their identity certificate with. */
const SHA256_WITH_RSA = "1.2.840.113549.1.1.11";
/** DigestInfo of SHA-256 before the digest (RFC 8017 9.2). */
const SHA256_DIGEST_INFO = Uint8Array.of(48, 49, 48, 13, 6, 9, 96, 134, 72, 1, 101, 3, 4, 2, 1, 5, 0, 4, 32);
const CROSS_CERT_PREFIX = utf8("Tor TLS RSA/Ed25519 cross-certificate");
const HOUR_MS = 3600_000;

export interface RsaIdentity {
  readonly key: RsaPublicKey;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Reads the identity certificate and checks its size and self-signature; its time is the caller's. */
export function readRsaIdentity(der: Uint8Array): RsaIdentity {
  const certificate = parseCertificate(der);
  if (certificate.publicKey.algorithm !== "rsa")
    throw certViolation("identity certificate without an RSA key");
  const key = parseRsaPublicKey(certificate.publicKey.key);
  if (key.bits !== IDENTITY_BITS) throw certViolation(`identity key of ${key.bits} bits`);
  if (certificate.signatureAlgorithm.oid !== SHA256_WITH_RSA) {
    throw certViolation("identity certificate signed with an unknown algorithm");
  }
  if (!verifyRsaBare(key, concat(SHA256_DIGEST_INFO, sha256(certificate.tbs)), certificate.signature)) {
    throw certViolation("identity certificate that is not self-signed");
  }
  return { key, notBefore: certificate.notBefore, notAfter: certificate.notAfter };
}

/** Checks that `key` vouches for `ed25519Id`. @returns when the cross-certificate expires, in ms since the epoch */
export function checkCrossCert(bytes: Uint8Array, key: RsaPublicKey, ed25519Id: Uint8Array): number {
  const reader = new Reader(bytes, (message) => certViolation(`cross-certificate: ${message}`));
  const certified = reader.take(32);
  const expires = reader.u32() * HOUR_MS;
  const signed = concat(CROSS_CERT_PREFIX, bytes.subarray(0, reader.offset));
  const signature = reader.vector(1);
  reader.end();
  if (certified.some((byte, i) => byte !== ed25519Id[i])) {
    throw certViolation("cross-certificate for another Ed25519 identity");
  }
  if (!verifyRsaBare(key, sha256(signed), signature)) throw certViolation("forged cross-certificate");
  return expires;
}
