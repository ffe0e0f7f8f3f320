// What a bridge's close codes mean to the client (docs/protocol/bridge.md).

import { TorError, type TorErrorCode, type TorErrorKind } from "@allium/core";

type Meaning = readonly [TorErrorKind, TorErrorCode, string];

const MEANINGS = new Map<number, Meaning>([
  [1003, ["bridge-refused", "ALLIUM_E_BRIDGE_PROTOCOL", "the bridge does not take our messages"]],
  [1009, ["bridge-refused", "ALLIUM_E_BRIDGE_PROTOCOL", "the bridge found a message too big"]],
  [4400, ["bridge-refused", "ALLIUM_E_BRIDGE_PROTOCOL", "the bridge did not understand the destination"]],
  [4401, ["bridge-refused", "ALLIUM_E_BRIDGE_TOKEN", "the bridge wants another access token"]],
  [4403, ["bridge-refused", "ALLIUM_E_BRIDGE_DENIED", "the bridge does not dial this relay"]],
  [4408, ["bridge-refused", "ALLIUM_E_BRIDGE_TIMEOUT", "the relay did not answer the bridge in time"]],
  [4429, ["bridge-refused", "ALLIUM_E_BRIDGE_LIMIT", "the bridge's limit is reached"]],
  [4502, ["bridge-refused", "ALLIUM_E_BRIDGE_RELAY", "the bridge has no connection to the relay"]],
  [4503, ["bridge-unreachable", "ALLIUM_E_BRIDGE_NOT_READY", "the bridge is starting or going down"]],
]);

/** The error of a WebSocket that was closed with this code; undefined for an ordinary end. */
export function closeError(code: number, reason: string): TorError | undefined {
  if (code === 1000 || code === 1005) return undefined;
  const meaning = MEANINGS.get(code);
  if (meaning === undefined) return unreachable(`the connection to the bridge broke (code ${code})`);
  const [kind, errorCode, message] = meaning;
  const retryAfter = Number(/retry after (\d+) s/.exec(reason)?.[1]) * 1000;
  const options = Number.isFinite(retryAfter) ? { retryAfter } : {};
  return new TorError(kind, errorCode, reason === "" ? message : `${message}: ${reason}`, options);
}

export function unreachable(message: string): TorError {
  return new TorError("bridge-unreachable", "ALLIUM_E_BRIDGE_UNREACHABLE", message);
}
