// Why relays end streams (tor-spec 6.3) and circuits (tor-spec 5.4), and the errors that callers see for them.

import { TorError, type TorErrorKind } from "../../base/errors.ts";

/** Reasons in END that we send or look at. */
export const EndReason = { MISC: 1, EXITPOLICY: 4, DONE: 6 } as const;

type Row = readonly [name: string, kind: TorErrorKind, message: string];

/**
 * By the END reason's number. The kind says what may help: with `exit-policy` it is this exit that will not, another one
 * may. A relay that gives no cause (MISC, INTERNAL) is counted there; which reasons are tried again elsewhere, exit-tries.ts
 * has.
 */
const END_REASONS: ReadonlyMap<number, Row> = new Map([
  [1, ["MISC", "exit-policy", "the exit gave no cause"]],
  [2, ["RESOLVEFAILED", "remote-host-not-found", "the exit could not resolve the host name"]],
  [3, ["CONNECTREFUSED", "remote-refused", "the destination refused the connection"]],
  [4, ["EXITPOLICY", "exit-policy", "the exit's policy does not allow this destination"]],
  [5, ["DESTROY", "circuit-collapse", "the exit is closing the circuit"]],
  [6, ["DONE", "remote-refused", "the destination closed the connection at once"]],
  [7, ["TIMEOUT", "exit-timeout", "the exit's connection to the destination timed out"]],
  [8, ["NOROUTE", "remote-refused", "the exit has no route to the destination"]],
  [9, ["HIBERNATING", "exit-policy", "the exit is hibernating"]],
  [10, ["INTERNAL", "exit-policy", "the exit had an internal error"]],
  [11, ["RESOURCELIMIT", "exit-policy", "the exit is out of resources"]],
  [12, ["CONNRESET", "remote-refused", "the destination reset the connection"]],
  // Not the exit's violation but, as it says, ours.
  [13, ["TORPROTOCOL", "internal", "the exit complains about our protocol"]],
  [14, ["NOTDIRECTORY", "exit-policy", "the relay is not a directory"]],
]);

/** The error of a stream that ended with this reason: `ALLIUM_E_STREAM_<reason>`. */
export function streamEndError(reason: number): TorError {
  const [name, kind, message] = END_REASONS.get(reason) ?? [
    "UNKNOWN_REASON",
    "exit-policy",
    `the exit gave the unknown reason ${reason}`,
  ];
  return new TorError(kind, `ALLIUM_E_STREAM_${name}`, `the stream was ended: ${message}`);
}

/** Names of DESTROY's and TRUNCATED's reasons, by number (tor-spec 5.4). */
const DESTROY_REASONS = [
  "NONE",
  "PROTOCOL",
  "INTERNAL",
  "REQUESTED",
  "HIBERNATING",
  "RESOURCELIMIT",
  "CONNECTFAILED",
  "OR_IDENTITY",
  "CHANNEL_CLOSED",
  "FINISHED",
  "TIMEOUT",
  "DESTROYED",
  "NOSUCHSERVICE",
] as const;

/** The error of a circuit that a relay destroyed or truncated: `ALLIUM_E_DESTROY_<reason>`, `ALLIUM_E_TRUNCATED_<reason>`. */
export function circuitEndError(how: "DESTROY" | "TRUNCATED", reason: number): TorError {
  const name = DESTROY_REASONS[reason] ?? "UNKNOWN_REASON";
  const verb = how === "DESTROY" ? "destroyed" : "truncated";
  return new TorError(
    "circuit-collapse",
    `ALLIUM_E_${how}_${name}`,
    `a relay ${verb} the circuit: ${name} (${reason})`,
  );
}
