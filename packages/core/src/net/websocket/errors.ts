// The faults of a WebSocket, each with its own code; three of them have a close code that tells the peer (RFC 6455 7.4.1).

import { protocolViolation, TorError, type TorErrorCode } from "../../base/errors.ts";

/** The server did not accept the opening handshake, or not as it must (RFC 6455 4.1). */
export function badHandshake(message: string): TorError {
  return protocolViolation("ALLIUM_E_WS_HANDSHAKE", message);
}

/** A frame that may not be, or not there. */
export function badFrame(message: string): TorError {
  return protocolViolation("ALLIUM_E_WS_FRAME", message);
}

/** Text, or a reason to close, that is not UTF-8. */
export function badUtf8(cause?: unknown): TorError {
  return protocolViolation("ALLIUM_E_WS_UTF8", "the server sent text that is not UTF-8", cause);
}

/** More than is kept in memory. */
export function tooMuch(message: string): TorError {
  return new TorError("limit", "ALLIUM_E_WS_LIMIT", message);
}

/** More was given to send than is kept in memory. */
export function bufferFull(): TorError {
  return new TorError("limit", "ALLIUM_E_WS_BUFFER", "too much waits to be sent");
}

/** The stream ended without a closing handshake. */
export function broken(): TorError {
  return protocolViolation("ALLIUM_E_WS_TRUNCATED", "the server ended the stream without a Close frame");
}

export function timedOut(what: string): TorError {
  return new TorError("exit-timeout", "ALLIUM_E_WS_TIMEOUT", `the server did not ${what} in time`);
}

const CLOSE_CODES: Readonly<Record<TorErrorCode, number>> = {
  ALLIUM_E_WS_FRAME: 1002,
  ALLIUM_E_WS_UTF8: 1007,
  ALLIUM_E_WS_LIMIT: 1009,
};

/** What the server is told: that it was its fault, or that we go away. */
export function closeCodeOf(error: TorError): number {
  return CLOSE_CODES[error.code] ?? 1001;
}
