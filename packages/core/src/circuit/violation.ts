// How a circuit's protocol violations are named: one code for each rule, so that tests and logs can tell them apart.
// Specified in tor-spec 5.5 to 7.4 and proposal 349; every one of them closes the circuit.

import { protocolViolation, type TorError } from "../base/errors.ts";

export type CircuitViolation =
  | "CELL_COMMAND"
  | "CELL_LIMIT"
  | "DROP"
  | "EMPTY_DATA"
  | "EXTENDED2"
  | "HANDSHAKE"
  | "MALFORMED"
  | "RELAY_EARLY"
  | "RESOLVED"
  | "SECOND_CONNECTED"
  | "SENDME"
  | "SENDME_TAG"
  | "SENDME_VERSION"
  | "STREAM_ID"
  | "STREAM_WINDOW"
  | "UNEXPECTED_COMMAND"
  | "UNKNOWN_COMMAND"
  | "UNKNOWN_STREAM"
  | "UNRECOGNIZED"
  | "WRONG_HOP"
  | "WRONG_STATE"
  | "XOFF"
  | "XON";

/** A `protocol-violation` with the code `ALLIUM_E_CIRCUIT_<rule>`. */
export function circuitViolation(rule: CircuitViolation, message: string, cause?: unknown): TorError {
  return protocolViolation(`ALLIUM_E_CIRCUIT_${rule}`, message, cause);
}

/** For Reader: what is wrong with a message's bytes. */
export function malformedMessage(message: string): TorError {
  return circuitViolation("MALFORMED", message);
}
