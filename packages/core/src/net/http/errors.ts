// The faults of an HTTP/1.1 exchange, each with its own code.

import { badApiUsage, protocolViolation, TorError, type TorErrorKind } from "../../base/errors.ts";

/** The status line is not one of HTTP/1.0 or HTTP/1.1. */
export function badStatusLine(message: string): TorError {
  return protocolViolation("ALLIUM_E_HTTP_STATUS_LINE", message);
}

/** A header or trailer field is malformed. */
export function badField(message: string): TorError {
  return protocolViolation("ALLIUM_E_HTTP_FIELD", message);
}

/** Content-Length and Transfer-Encoding do not say one thing about where the body ends. */
export function badFraming(message: string): TorError {
  return protocolViolation("ALLIUM_E_HTTP_FRAMING", message);
}

/** The chunked coding is malformed. */
export function badChunk(message: string): TorError {
  return protocolViolation("ALLIUM_E_HTTP_CHUNK", message);
}

/** The stream ended before the message did. */
export function truncated(what: string): TorError {
  return protocolViolation("ALLIUM_E_HTTP_TRUNCATED", `the server ended the stream inside ${what}`);
}

/** The server sent more than is taken. */
export function headLimit(message: string): TorError {
  return new TorError("limit", "ALLIUM_E_HTTP_LIMIT", message);
}

/** The caller's method, target or header cannot be written as HTTP. */
export function badRequest(message: string): TorError {
  return badApiUsage("ALLIUM_E_HTTP_REQUEST", message);
}

/** The body given by the caller failed, or was not what it had announced. */
export function badBody(message: string, cause?: unknown): TorError {
  return new TorError("bad-api-usage", "ALLIUM_E_HTTP_REQUEST_BODY", message, { cause });
}

/** The server surely did nothing about the request: it may be sent again on another connection (RFC 9113 8.7). */
export const UNPROCESSED = "ALLIUM_E_HTTP_UNPROCESSED";
/** A kept connection ended before the answer began: the server may have acted on the request, or not. */
export const UNANSWERED = "ALLIUM_E_HTTP_UNANSWERED";

/** Such a request may be sent again on another connection, whatever it asks for. */
export function unprocessed(message: string, cause?: unknown): TorError {
  return new TorError("remote-refused", UNPROCESSED, message, { cause });
}

export function unanswered(kind: TorErrorKind, cause: unknown): TorError {
  return new TorError(kind, UNANSWERED, "the kept connection ended before the server answered", { cause });
}
