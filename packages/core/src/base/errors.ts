// The one error type of Allium. `kind` says where it went wrong and what the caller can do; `code` is stable.
// Not in this file: which code belongs to which fault; each room names its own, and docs/errors.md lists them all.

/** Where an operation failed, seen from the caller. */
export type TorErrorKind =
  | "bridge-unreachable"
  | "bridge-refused"
  | "offline"
  | "clock-skew"
  | "directory-expired"
  | "consensus-unverified"
  | "relay-identity-mismatch"
  | "no-path"
  | "circuit-collapse"
  | "exit-policy"
  | "exit-timeout"
  | "remote-refused"
  | "remote-host-not-found"
  | "remote-tls"
  | "onion-not-found"
  | "onion-auth-required"
  | "storage-denied"
  | "bad-api-usage"
  | "protocol-violation"
  | "limit"
  | "aborted"
  | "internal";

/** A stable error code, listed with cause and remedy in `docs/errors.md`. */
export type TorErrorCode = `ALLIUM_E_${string}`;

export interface TorErrorOptions {
  readonly cause?: unknown;
  /** Milliseconds after which a retry may succeed. */
  readonly retryAfter?: number;
}

const BRAND = Symbol.for("allium.TorError");

/** Every rejection and every thrown value of Allium is one of these, except where the web wants its own type. */
export class TorError extends Error {
  override readonly name: string = "TorError";
  readonly kind: TorErrorKind;
  readonly code: TorErrorCode;
  readonly retryAfter?: number;

  constructor(kind: TorErrorKind, code: TorErrorCode, message: string, options: TorErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = code;
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter;
    brandTorError(this);
  }
}

/** Makes `isTorError` hold for an error of another class that has `kind` and `code` (where the web wants its own type). */
export function brandTorError(error: Error): void {
  // A symbol from the global registry, so that two bundled copies of Allium recognise each other's errors.
  Object.defineProperty(error, BRAND, { value: true });
}

/** Whether `value` is a TorError, of this copy of Allium or of another one in the same realm. */
export function isTorError(value: unknown): value is TorError {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
}

/** `value` itself when it is a TorError, otherwise an `internal` one (or `aborted`) that carries it as its cause. */
export function toTorError(value: unknown, fallback?: (cause: unknown) => TorError): TorError {
  if (isTorError(value)) return value;
  if (isAbortReason(value)) return abortedError(value);
  if (fallback !== undefined) return fallback(value);
  const message = value instanceof Error ? value.message : String(value);
  return new TorError("internal", "ALLIUM_E_INTERNAL", `unexpected failure: ${message}`, { cause: value });
}

/** The error of an operation that its caller gave up. */
export function abortedError(reason?: unknown): TorError {
  return new TorError("aborted", "ALLIUM_E_ABORTED", "the operation was aborted", { cause: reason });
}

function isAbortReason(value: unknown): boolean {
  return value instanceof Error && value.name === "AbortError";
}

/** A peer broke the protocol: nothing it sends from here on is believed. */
export function protocolViolation(code: TorErrorCode, message: string, cause?: unknown): TorError {
  return new TorError("protocol-violation", code, message, { cause });
}

/** The caller asked for something that cannot be. */
export function badApiUsage(code: TorErrorCode, message: string): TorError {
  return new TorError("bad-api-usage", code, message);
}
