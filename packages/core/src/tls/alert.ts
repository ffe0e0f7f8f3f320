// TLS alerts and the errors that go with them (RFC 8446 6, B.2; RFC 5246 7.2).

import { TorError, type TorErrorCode, type TorErrorKind, toTorError } from "../base/errors.ts";

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
  no_renegotiation: 100,
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

/** Whose fault a broken TLS is: a relay's, of whom the protocol is expected, or a web server's. */
export type FaultKind = "protocol-violation" | "remote-tls";

/** What the peer did wrong; `alert` is what it is told, if there is somebody to tell. */
export class TlsError extends TorError {
  readonly alert: AlertName | undefined;

  constructor(
    alert: AlertName | undefined,
    code: TorErrorCode,
    message: string,
    cause?: unknown,
    kind: TorErrorKind = "protocol-violation",
  ) {
    super(kind, code, message, { cause });
    this.alert = alert;
  }
}

/** `cause` as a connection gives it out: a violation of TLS is of this kind, all else stays what it is. */
export function faultOf(cause: unknown, kind: FaultKind): TorError {
  if (!(cause instanceof TlsError) || cause.kind !== "protocol-violation") return toTorError(cause);
  return new TlsError(cause.alert, cause.code, cause.message, cause.cause, kind);
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
export function truncated(message: string): TlsError {
  return new TlsError(undefined, "ALLIUM_E_TLS_TRUNCATED", message);
}

/** More than is borne of what carries nothing. */
export function flood(message: string): TlsError {
  return new TlsError("unexpected_message", "ALLIUM_E_TLS_FLOOD", message);
}

const WARNINGS: readonly AlertName[] = ["close_notify", "user_canceled", "no_renegotiation"];

/** The two bytes of an alert. Most are fatal (RFC 8446 6; RFC 5246 7.2.2). */
export function encodeAlert(name: AlertName): Uint8Array {
  return Uint8Array.of(WARNINGS.includes(name) ? LEVEL_WARNING : LEVEL_FATAL, NAMES[name]);
}

/** A received alert: its name, or `unknown_N`. In TLS 1.3 the level means nothing (RFC 8446 6). */
export function parseAlert(content: Uint8Array): {
  name: AlertName | `unknown_${number}`;
  warning: boolean;
} {
  // One alert a record, never fragmented (RFC 8446 5.1).
  if (content.length !== 2) throw decodeError(`an alert of ${content.length} bytes`);
  const [level, description] = content as unknown as [number, number];
  const entry = Object.entries(NAMES).find(([, number]) => number === description);
  return { name: (entry?.[0] as AlertName) ?? `unknown_${description}`, warning: level === LEVEL_WARNING };
}

/** The error of a connection that the peer ended with a fatal alert. */
export function alertError(name: string): TlsError {
  return name === "protocol_version"
    ? oldVersion(undefined, " (alert protocol_version)")
    : new TlsError(undefined, "ALLIUM_E_TLS_ALERT", `the server sent the TLS alert ${name}`);
}

/** A server that speaks no version that was offered. */
export function oldVersion(alert: AlertName | undefined, detail: string): TlsError {
  return new TlsError(alert, "ALLIUM_E_TLS_VERSION", `the server speaks no TLS that was offered${detail}`);
}
