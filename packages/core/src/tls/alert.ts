// TLS alerts and the errors that go with them (RFC 8446 6, B.2).

import { TorError, type TorErrorCode } from "../base/errors.ts";

/** Alert descriptions by number (RFC 8446 B.2; those of RFC 8446's forerunners are named too, as peers send them). */
const NAMES = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,
} as const;

export type AlertName = keyof typeof NAMES;

const LEVEL_WARNING = 1;
const LEVEL_FATAL = 2;

/** A fault that this side found in what the peer sent; `alert` is what the peer is told. */
export class TlsError extends TorError {
  readonly alert: AlertName;

  constructor(alert: AlertName, code: TorErrorCode, message: string, cause?: unknown) {
    super("protocol-violation", code, message, { cause });
    this.alert = alert;
  }
}

/** A message whose bytes do not have the form that the RFC gives them. */
export function decodeError(message: string): TlsError {
  return new TlsError("decode_error", "ALLIUM_E_TLS_DECODE", message);
}

/** A well-formed message that may not come now. */
export function unexpectedMessage(message: string): TlsError {
  return new TlsError("unexpected_message", "ALLIUM_E_TLS_UNEXPECTED", message);
}

/** A field with a value that it may not have here. */
export function illegalParameter(message: string): TlsError {
  return new TlsError("illegal_parameter", "ALLIUM_E_TLS_PARAMETER", message);
}

/** The pipe ended before the peer said close_notify: what came may be cut short by anyone on the way. */
export function truncated(message: string): TorError {
  return new TorError("protocol-violation", "ALLIUM_E_TLS_TRUNCATED", message);
}

/** The two bytes of an alert. All but close_notify and user_canceled are fatal (RFC 8446 6). */
export function encodeAlert(name: AlertName): Uint8Array {
  const level = name === "close_notify" || name === "user_canceled" ? LEVEL_WARNING : LEVEL_FATAL;
  return Uint8Array.of(level, NAMES[name]);
}

/**
 * The name of a received alert, or `unknown_N`. The level is not looked at: in TLS 1.3 the description alone decides
 * (RFC 8446 6).
 */
export function parseAlert(content: Uint8Array): AlertName | `unknown_${number}` {
  // One alert a record, never fragmented (RFC 8446 5.1).
  if (content.length !== 2) throw decodeError(`an alert of ${content.length} bytes`);
  const description = content[1] as number;
  for (const [name, number] of Object.entries(NAMES)) {
    if (number === description) return name as AlertName;
  }
  return `unknown_${description}`;
}

/** The error of a connection that the peer ended with a fatal alert. */
export function alertError(name: string): TorError {
  if (name === "protocol_version") {
    return new TorError(
      "protocol-violation",
      "ALLIUM_E_TLS_VERSION",
      "the server does not speak TLS 1.3 (alert protocol_version)",
    );
  }
  return new TorError("protocol-violation", "ALLIUM_E_TLS_ALERT", `the server sent the TLS alert ${name}`);
}
