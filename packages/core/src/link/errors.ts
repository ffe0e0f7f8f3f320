// The link room's refusals.

import { protocolViolation, TorError } from "../base/errors.ts";

/** The relay broke the link protocol (tor-spec 3 and 4). */
export function linkViolation(message: string): TorError {
  return protocolViolation("ALLIUM_E_LINK_PROTOCOL", `link: ${message}`);
}

/** A certificate of the relay is malformed, forged, or of the wrong kind (tor-spec 4.2, cert-spec). */
export function certViolation(message: string, cause?: unknown): TorError {
  return protocolViolation("ALLIUM_E_LINK_CERTS", `the relay's certificates are refused: ${message}`, cause);
}

/** Somebody authenticated who is not the relay that was asked for. */
export function identityMismatch(which: "RSA" | "Ed25519"): TorError {
  return new TorError(
    "relay-identity-mismatch",
    which === "RSA" ? "ALLIUM_E_LINK_RSA_IDENTITY" : "ALLIUM_E_LINK_ED25519_IDENTITY",
    `the relay proved another ${which} identity than the one that was asked for`,
  );
}
