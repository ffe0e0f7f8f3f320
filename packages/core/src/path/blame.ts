// Whose fault it is that no circuit could be begun: the relay's, the bridge's or the device's (guard-spec 4.7; the codes of
// docs/protocol/bridge.md). Whoever can make a guard fail moves the client to another one, so a bridge must not by refusing.

import { TorError } from "../base/errors.ts";

/** The bridge dialled, and the relay did not answer. */
const RELAY_SILENT: ReadonlySet<string> = new Set(["ALLIUM_E_BRIDGE_RELAY", "ALLIUM_E_BRIDGE_TIMEOUT"]);

/** The bridge does not dial this relay. */
const RELAY_REFUSED: ReadonlySet<string> = new Set(["ALLIUM_E_BRIDGE_DENIED", "ALLIUM_E_BRIDGE_DESTINATION"]);

/** The bridge broke its own protocol. */
const BRIDGE_BROKEN: ReadonlySet<string> = new Set(["ALLIUM_E_BRIDGE_TEXT", "ALLIUM_E_BRIDGE_FLOOD"]);

/** Whether the failure is held against the relay. */
export function isRelaysFault({ kind, code }: TorError): boolean {
  if (RELAY_SILENT.has(code)) return true;
  const isBridges = kind === "bridge-unreachable" || kind === "bridge-refused" || BRIDGE_BROKEN.has(code);
  return !isBridges && kind !== "aborted" && code !== "ALLIUM_E_OFFLINE";
}

/** Whether a bridge may have kept the relay away by this: not where it only says something of itself or of its client. */
export function mayBeWithheld(error: TorError): boolean {
  return error.kind !== "bridge-refused" || RELAY_REFUSED.has(error.code);
}

/**
 * What it is that a connection failed which goes through bridges, before any of them took it on: theirs, for the relay never
 * heard of it. Unlike the dialer's own errors, our time limit does not say so.
 */
export function notCarried(error: TorError): TorError {
  if (error.kind === "bad-api-usage" || !isRelaysFault(error)) return error;
  const message = `no bridge took the connection on: ${error.message}`;
  return new TorError("bridge-unreachable", "ALLIUM_E_BRIDGE_UNREACHABLE", message, { cause: error });
}

/** A bridge that took a connection on, and the monotonic time when it did. */
export interface Carriage {
  readonly bridge: string;
  readonly at: number;
}

/**
 * Whose word the failure of a connection is, that went through these bridges one after the other: of the one that had it
 * longest. One connection is never the word of two.
 */
export function heldBy(through: readonly Carriage[], now: number): ReadonlySet<string> {
  let holder: string | undefined;
  let longest = 0;
  for (const [i, { bridge, at }] of through.entries()) {
    const held = (through[i + 1]?.at ?? now) - at;
    if (held < longest) continue;
    longest = held;
    holder = bridge;
  }
  return new Set(holder === undefined ? [] : [holder]);
}

/** Whether another relay may do better, be this one to blame or not. */
export function mayOtherRelayDo(error: TorError): boolean {
  return isRelaysFault(error) || RELAY_REFUSED.has(error.code);
}
