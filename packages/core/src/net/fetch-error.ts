// How fetch rejects: with a TypeError, as on the web, that has kind and code as every other error of Allium.

import {
  brandTorError,
  isTorError,
  type TorError,
  type TorErrorCode,
  type TorErrorKind,
  toTorError,
} from "../base/errors.ts";

/** A TypeError for which `isTorError` holds. The TorError it stands for is its cause. */
export class TorFetchError extends TypeError {
  readonly kind: TorErrorKind;
  readonly code: TorErrorCode;
  /** Milliseconds after which a retry may succeed. */
  readonly retryAfter?: number;

  constructor(error: TorError) {
    super(error.message, { cause: error });
    this.kind = error.kind;
    this.code = error.code;
    if (error.retryAfter !== undefined) this.retryAfter = error.retryAfter;
    brandTorError(this);
  }
}

/** What the caller of fetch sees: the signal's reason once that has aborted, a TorFetchError otherwise. */
export function fetchRejection(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  return isTorError(error) && error instanceof TypeError ? error : new TorFetchError(toTorError(error));
}
