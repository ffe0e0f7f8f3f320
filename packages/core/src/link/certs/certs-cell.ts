// The CERTS cell (tor-spec 4.2): what a relay must show to be believed, bound to the TLS certificate that we saw and to
// the identities that we asked for.
// Signatures are checked here and now; times are handed up, since a wrong clock of ours can only be told once NETINFO is in.

import { equalBytes, Reader } from "../../base/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import { rsaId } from "../../crypto/rsa.ts";
import type { RelayIdentity } from "../api.ts";
import { certViolation, identityMismatch } from "../errors.ts";
import { CERT_TYPE, checkEd25519Certificate, KEY_TYPE, parseEd25519Certificate } from "./ed25519-cert.ts";
import { checkCrossCert, readRsaIdentity } from "./rsa-certs.ts";

/** CertType values of the cell (tor-spec 4.2). Others are ignored. */
const CELL_CERT = { rsaIdentity: 2, identityToSigning: 4, signingToTls: 5, crossCert: 7 } as const;

/** The time in which all certificates of a relay hold, in milliseconds since the epoch. */
export interface CertsLifetime {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The certificates of a CERTS cell by their type. Bytes behind the last one are ignored, a type twice is not. */
export function parseCertsCell(body: Uint8Array): Map<number, Uint8Array> {
  const reader = new Reader(body, (message) => certViolation(`CERTS cell: ${message}`));
  const certs = new Map<number, Uint8Array>();
  for (let left = reader.u8(); left > 0; left--) {
    const type = reader.u8();
    const bytes = reader.vector(2);
    if (certs.has(type)) throw certViolation(`two certificates of type ${type}`);
    certs.set(type, bytes);
  }
  return certs;
}

/**
 * Checks every certificate of the cell, every signature, and both identities.
 * @param tlsLeaf the certificate of the TLS session, in DER
 * @throws TorError `protocol-violation` for bad certificates, `relay-identity-mismatch` for another relay's
 */
export function verifyCerts(body: Uint8Array, tlsLeaf: Uint8Array, expected: RelayIdentity): CertsLifetime {
  const certs = parseCertsCell(body);
  const required = (type: number) => {
    const bytes = certs.get(type);
    if (bytes === undefined) throw certViolation(`no certificate of type ${type}`);
    return bytes;
  };
  const identity = parseEd25519Certificate(required(CELL_CERT.identityToSigning));
  const ed25519Id = identity.signedWith;
  if (ed25519Id === undefined) throw certViolation("identity certificate without its signing key");
  const { identityToSigning: certType } = CERT_TYPE;
  checkEd25519Certificate(identity, { certType, keyType: KEY_TYPE.ed25519, signer: ed25519Id });

  const link = parseEd25519Certificate(required(CELL_CERT.signingToTls));
  const signer = identity.certifiedKey;
  checkEd25519Certificate(link, { certType: CERT_TYPE.signingToTls, keyType: KEY_TYPE.sha256OfX509, signer });
  if (!equalBytes(link.certifiedKey, sha256(tlsLeaf))) throw certViolation("made for another TLS session");

  const rsa = readRsaIdentity(required(CELL_CERT.rsaIdentity));
  const crossExpires = checkCrossCert(required(CELL_CERT.crossCert), rsa.key, ed25519Id);

  if (!equalBytes(ed25519Id, expected.ed25519Id)) throw identityMismatch("Ed25519");
  if (!equalBytes(rsaId(rsa.key), expected.rsaId)) throw identityMismatch("RSA");
  return {
    notBefore: rsa.notBefore,
    notAfter: Math.min(identity.expires, link.expires, crossExpires, rsa.notAfter),
  };
}
