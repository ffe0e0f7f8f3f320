// The link room's refusals: one code for each rule, so that tests and logs can tell them apart.

import { protocolViolation, TorError } from "../base/errors.ts";

/** Rules of the link protocol (tor-spec 3, 4, 5.1.1). */
export type LinkViolation =
  | "AUTH_CHALLENGE"
  | "CELL_LENGTH"
  | "CIRCUIT_ID"
  | "COMMAND"
  | "HANDSHAKE_LENGTH"
  | "NETINFO"
  | "NO_COMMON_VERSION"
  | "ORDER"
  | "UNKNOWN_CIRCUIT"
  | "VERSIONS";

/** Certificates that a relay must show, by what they certify (tor-spec 4.2, types 2, 4, 5 and 7). */
export type CertRole = "CROSSCERT" | "LINK" | "RSA_ID" | "SIGNING";

/** Rules of certificates (tor-spec 4.2, cert-spec 2). */
export type CertViolation =
  /** The CERTS cell itself. */
  | "CELL"
  | "DUPLICATE"
  /** A certificate that is not there, forged, or out of its time. */
  | `${CertRole}_${"EXPIRED" | "MISSING" | "SIGNATURE"}`
  | `${"CROSSCERT" | "RSA_ID"}_MALFORMED`
  /** Fields of Ed25519 certificates. */
  | "CRITICAL_EXTENSION"
  | "ED25519_EXTENSION"
  | "ED25519_LENGTH"
  | "ED25519_VERSION"
  | `${"LINK" | "SIGNING"}_${"KEY_TYPE" | "SIGNER" | "TYPE"}`
  /** What binds the certificates to each other and to the TLS session. */
  | "CROSSCERT_KEY"
  | "LINK_TLS"
  /** The RSA identity. */
  | "RSA_ID_ALGORITHM"
  | "RSA_ID_KEY";

/** The relay broke the link protocol: `ALLIUM_E_LINK_<rule>`. */
export function linkViolation(rule: LinkViolation, message: string): TorError {
  return protocolViolation(`ALLIUM_E_LINK_${rule}`, `link: ${message}`);
}

/** A certificate is malformed, forged, out of its time or of the wrong kind: `ALLIUM_E_CERT_<rule>`. */
export function certViolation(rule: CertViolation, message: string, cause?: unknown): TorError {
  return protocolViolation(`ALLIUM_E_CERT_${rule}`, `certificates: ${message}`, cause);
}

/** Somebody authenticated who is not the relay that was asked for. */
export function identityMismatch(which: "RSA" | "Ed25519"): TorError {
  return new TorError(
    "relay-identity-mismatch",
    which === "RSA" ? "ALLIUM_E_LINK_RSA_IDENTITY" : "ALLIUM_E_LINK_ED25519_IDENTITY",
    `the relay proved another ${which} identity than the one that was asked for`,
  );
}

/** The link is gone, by its end or ours. */
export function linkClosed(message: string, cause?: unknown): TorError {
  return new TorError("circuit-collapse", "ALLIUM_E_LINK_CLOSED", message, { cause });
}
