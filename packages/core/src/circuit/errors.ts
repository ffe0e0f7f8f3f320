// The circuit room's refusals, and what END, DESTROY and TRUNCATED reasons mean to a caller (tor-spec 5.4, 6.3).

import { protocolViolation, TorError, type TorErrorCode, type TorErrorKind } from "../base/errors.ts";

/** The relay broke the circuit protocol; the circuit is closed. */
export function circuitViolation(message: string): TorError {
  return protocolViolation("ALLIUM_E_CIRCUIT_PROTOCOL", `circuit: ${message}`);
}

/** A handshake with a hop failed its authentication. */
export function handshakeFailed(message: string, cause?: unknown): TorError {
  return protocolViolation("ALLIUM_E_CIRCUIT_HANDSHAKE", `circuit handshake: ${message}`, cause);
}

/** tor-spec 5.4; DESTROY and TRUNCATED share them. */
const DESTROY_REASONS = [
  "none",
  "protocol error",
  "internal error",
  "requested",
  "hibernating",
  "out of resources",
  "connection to the next relay failed",
  "the next relay has another identity",
  "a channel on the way closed",
  "finished",
  "timed out",
  "destroyed",
  "no such service",
];

/** The error of a circuit that a relay took down. */
export function circuitTornDown(by: "DESTROY" | "TRUNCATED", reason: number): TorError {
  const code = by === "DESTROY" ? "ALLIUM_E_CIRCUIT_DESTROYED" : "ALLIUM_E_CIRCUIT_TRUNCATED";
  const name = DESTROY_REASONS[reason] ?? `reason ${reason}`;
  return new TorError("circuit-collapse", code, `a relay took the circuit down (${by}: ${name})`);
}

/** tor-spec 6.3 */
export const END_REASON = {
  misc: 1,
  resolveFailed: 2,
  connectRefused: 3,
  exitPolicy: 4,
  destroy: 5,
  done: 6,
  timeout: 7,
  noRoute: 8,
  hibernating: 9,
  internal: 10,
  resourceLimit: 11,
  connReset: 12,
  torProtocol: 13,
  notDirectory: 14,
} as const;

type EndMeaning = readonly [TorErrorKind, TorErrorCode, string];

const END_MEANINGS = new Map<number, EndMeaning>([
  [
    END_REASON.misc,
    ["circuit-collapse", "ALLIUM_E_STREAM_MISC", "the exit ended the stream without a reason"],
  ],
  [
    END_REASON.resolveFailed,
    ["remote-host-not-found", "ALLIUM_E_STREAM_RESOLVE", "the exit cannot resolve the host"],
  ],
  [
    END_REASON.connectRefused,
    ["remote-refused", "ALLIUM_E_STREAM_REFUSED", "the host refused the connection"],
  ],
  [
    END_REASON.exitPolicy,
    ["exit-policy", "ALLIUM_E_STREAM_EXIT_POLICY", "the exit's policy forbids the destination"],
  ],
  [
    END_REASON.destroy,
    ["circuit-collapse", "ALLIUM_E_STREAM_DESTROYED", "the circuit of the stream is going down"],
  ],
  [
    END_REASON.timeout,
    ["exit-timeout", "ALLIUM_E_STREAM_EXIT_TIMEOUT", "the host did not answer the exit in time"],
  ],
  [END_REASON.noRoute, ["remote-refused", "ALLIUM_E_STREAM_NO_ROUTE", "the exit has no route to the host"]],
  [END_REASON.hibernating, ["circuit-collapse", "ALLIUM_E_STREAM_HIBERNATING", "the exit is hibernating"]],
  [END_REASON.internal, ["circuit-collapse", "ALLIUM_E_STREAM_INTERNAL", "the exit had an internal error"]],
  [
    END_REASON.resourceLimit,
    ["circuit-collapse", "ALLIUM_E_STREAM_RESOURCES", "the exit is out of resources"],
  ],
  [END_REASON.connReset, ["remote-refused", "ALLIUM_E_STREAM_RESET", "the host reset the connection"]],
  [END_REASON.torProtocol, ["circuit-collapse", "ALLIUM_E_STREAM_PROTOCOL", "the exit saw a protocol error"]],
  [
    END_REASON.notDirectory,
    ["circuit-collapse", "ALLIUM_E_STREAM_NOT_DIRECTORY", "the relay is no directory cache"],
  ],
]);

/** The error of a stream that the exit ended. */
export function streamEnded(reason: number): TorError {
  const known = END_MEANINGS.get(reason);
  if (known !== undefined) return new TorError(...known);
  if (reason === END_REASON.done) {
    return new TorError("remote-refused", "ALLIUM_E_STREAM_DONE", "the host closed the connection at once");
  }
  return new TorError(
    "circuit-collapse",
    "ALLIUM_E_STREAM_UNKNOWN",
    `the exit ended the stream (reason ${reason})`,
  );
}
