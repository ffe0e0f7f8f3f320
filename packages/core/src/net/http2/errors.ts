// The faults of an HTTP/2 connection, and the numbers by which the two ends name them (RFC 9113 7).
// Malformed messages are HTTP's own faults (../http/errors.ts), whichever version carries them.

import { isTorError, TorError } from "../../base/errors.ts";

/** What a peer does wrong, by the name that the RFC gives it. */
const FAULTS = {
  PROTOCOL: 1,
  FLOW_CONTROL: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE: 6,
  COMPRESSION: 9,
} as const;

export const NO_ERROR = 0;
export const REFUSED_STREAM = 7;
const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;

/** The peer broke a rule of RFC 9113 or RFC 7541. */
export function http2Error(fault: keyof typeof FAULTS, message: string): TorError {
  return new TorError("protocol-violation", `ALLIUM_E_HTTP2_${fault}`, message);
}

/** The peer sends frames that lead nowhere (RFC 9113 10.5). */
export function floodError(what: string): TorError {
  return new TorError("limit", "ALLIUM_E_HTTP2_FLOOD", `the server floods the connection with ${what}`);
}

/** The server gave up a request or the connection, with an error code of its own. */
export function resetError(what: string, errorCode: number): TorError {
  return new TorError(
    "remote-refused",
    "ALLIUM_E_HTTP2_RESET",
    `the server gave up ${what} (error ${errorCode})`,
  );
}

/** The number that tells the peer why we end a stream or the connection; `otherwise` where it is not the peer's fault. */
export function wireCode(error: unknown, otherwise = CANCEL): number {
  if (!isTorError(error)) return otherwise;
  if (error.kind === "limit") return ENHANCE_YOUR_CALM;
  if (error.kind !== "protocol-violation") return otherwise;
  const fault = /HTTP2_(.*)/.exec(error.code)?.[1] ?? "PROTOCOL";
  return (FAULTS as Record<string, number>)[fault] as number;
}
