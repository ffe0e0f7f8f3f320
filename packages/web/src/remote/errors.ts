// Errors across a port: plain data on the way, a TorError again at the other end. What is no error of Allium's says nothing
// of itself there: its message might hold anything.

import { isTorError, TorError } from "@allium/core";
import { abortedError, badApiUsage } from "@allium/core/internal";
import type { PlainError } from "./protocol.ts";

const MAX_MESSAGE = 1000;

export function toPlainError(thrown: unknown): PlainError {
  const error = isTorError(thrown)
    ? thrown
    : thrown instanceof Error && thrown.name === "AbortError"
      ? abortedError()
      : new TorError("internal", "ALLIUM_E_INTERNAL", "unexpected failure on the other side of the port");
  const { kind, code, message, retryAfter } = error;
  return {
    ...{ kind, code },
    message: message.slice(0, MAX_MESSAGE),
    retryAfter: retryAfter === undefined ? undefined : Math.min(Math.max(Math.round(retryAfter), 0), 2 ** 32),
  };
}

export function fromPlainError({ kind, code, message, retryAfter }: PlainError): TorError {
  return new TorError(kind, code, message, retryAfter === undefined ? {} : { retryAfter });
}

/** The worker does not run, or runs something else. */
export function startError(message: string): TorError {
  return badApiUsage("ALLIUM_E_REMOTE_START", message);
}

/** Page and worker are of different builds. */
export function versionError(): TorError {
  return badApiUsage("ALLIUM_E_REMOTE_VERSION", "page and worker speak different versions of the protocol");
}

/** The options do not fit what the worker holds. */
export function optionsError(message: string): TorError {
  return badApiUsage("ALLIUM_E_REMOTE_OPTIONS", message);
}

/** The other side is gone without a word. */
export function lostError(): TorError {
  return new TorError("internal", "ALLIUM_E_REMOTE_LOST", "the other side of the port has ended");
}

/** More than goes over a port. */
export function limitError(message: string): TorError {
  return new TorError("limit", "ALLIUM_E_REMOTE_LIMIT", message);
}

export function closedError(): TorError {
  return new TorError("aborted", "ALLIUM_E_CLOSED", "the client is closed");
}
