// The CERTS cell (tor-spec 4.2): what a relay must show to be believed, bound to the TLS certificate that we saw and to
// the identities that we asked for.
// Signatures are checked here and now; times are handed up, since a wrong clock of ours can only be told once NETINFO is in.

import { equalBytes, Reader } from "../../base/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import { rsaId } from "../../crypto/rsa.ts";
import type { RelayIdentity } from "../api.ts";
import { type CertRole, certViolation, identityMismatch } from "../errors.ts";
import {
  CERT_TYPE,
  checkEd25519Certificate,
  type Ed25519Certificate,
  KEY_TYPE,
  parseEd25519Certificate,
} from "./ed25519-cert.ts";
import { checkCrossCert, readRsaIdentity } from "./rsa-certs.ts";
import type { CertLifetime } from "./timeliness.ts";

/** CertType values of the cell (tor-spec 4.2). Others are ignored. */
const CELL_CERT: Readonly<Record<CertRole, number>> = { RSA_ID: 2, SIGNING: 4, LINK: 5, CROSSCERT: 7 };

/** The certificates of a CERTS cell by their type. Bytes behind the last one are ignored, a type twice is not. */
export function parseCertsCell(body: Uint8Array): Map<number, Uint8Array> {
  const reader = new Reader(body, (message) => certViolation("CELL", `malformed CERTS cell: ${message}`));
  const certs = new Map<number, Uint8Array>();
  for (let left = reader.u8(); left > 0; left--) {
    const type = reader.u8();
    const bytes = reader.vector(2);
    if (certs.has(type)) throw certViolation("DUPLICATE", `two certificates of type ${type}`);
    certs.set(type, bytes);
  }
  return certs;
}

/**
 * Checks every certificate of the cell, every signature, and both identities.
 * @param tlsLeaf the certificate of the TLS session, in DER
 * @returns when the certificates hold, which is still to be checked
 * @throws TorError `protocol-violation` for bad certificates, `relay-identity-mismatch` for another relay's
 */
export function verifyCerts(body: Uint8Array, tlsLeaf: Uint8Array, expected: RelayIdentity): CertLifetime[] {
  const certs = parseCertsCell(body);
  const required = (role: CertRole) => {
    const bytes = certs.get(CELL_CERT[role]);
    if (bytes === undefined) throw certViolation(`${role}_MISSING`, `no certificate ${role}`);
    return bytes;
  };
  const { signing, ed25519Id } = checkSigning(required("SIGNING"));
  const link = checkLink(required("LINK"), signing.certifiedKey, tlsLeaf);
  const rsa = readRsaIdentity(required("RSA_ID"));
  const crossCertExpires = checkCrossCert(required("CROSSCERT"), rsa.key, ed25519Id);

  if (!equalBytes(ed25519Id, expected.ed25519Id)) throw identityMismatch("Ed25519");
  if (!equalBytes(rsaId(rsa.key), expected.rsaId)) throw identityMismatch("RSA");
  return [
    { role: "SIGNING", notBefore: 0, notAfter: signing.expires },
    { role: "LINK", notBefore: 0, notAfter: link.expires },
    { role: "RSA_ID", notBefore: rsa.notBefore, notAfter: rsa.notAfter },
    { role: "CROSSCERT", notBefore: 0, notAfter: crossCertExpires },
  ];
}

/** Type 4: the identity, which the certificate itself names, vouches for the signing key. */
function checkSigning(bytes: Uint8Array): { signing: Ed25519Certificate; ed25519Id: Uint8Array } {
  const signing = parseEd25519Certificate(bytes);
  const ed25519Id = signing.signedWith;
  if (ed25519Id === undefined) throw certViolation("SIGNING_SIGNER", "no identity key in its certificate");
  checkEd25519Certificate(signing, {
    role: "SIGNING",
    certType: CERT_TYPE.identityToSigning,
    keyType: KEY_TYPE.ed25519,
    signer: ed25519Id,
  });
  return { signing, ed25519Id };
}

/** Type 5: the signing key vouches for the TLS certificate. */
function checkLink(bytes: Uint8Array, signingKey: Uint8Array, tlsLeaf: Uint8Array): Ed25519Certificate {
  const link = parseEd25519Certificate(bytes);
  checkEd25519Certificate(link, {
    role: "LINK",
    certType: CERT_TYPE.signingToTls,
    keyType: KEY_TYPE.sha256OfX509,
    signer: signingKey,
  });
  if (!equalBytes(link.certifiedKey, sha256(tlsLeaf))) {
    throw certViolation("LINK_TLS", "the certificates were made for another TLS session");
  }
  return link;
}
