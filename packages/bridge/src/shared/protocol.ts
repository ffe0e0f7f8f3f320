// The bridge's wire protocol, shared by the Node bridge and the Worker: paths, subprotocol, close codes, the destination
// frame. Specified in docs/protocol/bridge.md.
// Not here: sockets of any kind; nothing in `shared/` imports `node:`.

import type { RelayAddress } from "@allium/core";

/** The subprotocol a client must offer; the only one the bridge ever echoes. */
export const SUBPROTOCOL = "tor-bridge.v1";
export const CONNECT_PATH = "/v1/connect";
export const CHECK_PATH = "/v1/check";

/** WebSocket close codes, each a refusal that a page can read. */
export const CLOSE = {
  normal: 1000,
  textFrame: 1003,
  tooBig: 1009,
  internal: 1011,
  badDestination: 4400,
  denied: 4403,
  timeout: 4408,
  limit: 4429,
  relayUnreachable: 4502,
  draining: 4503,
} as const;

/** Largest WebSocket message in either direction, in bytes. */
export const MAX_MESSAGE = 65536;

const HEADER_LENGTH = { 4: 7, 6: 19 } as const;

/**
 * The destination named by the first message: `type 4 or 6 | address | port`, big endian, nothing else.
 * Returns undefined for every other byte string: refusal is the caller's.
 */
export function parseDestination(frame: Uint8Array): RelayAddress | undefined {
  const family = frame[0];
  if (family !== 4 && family !== 6) return undefined;
  if (frame.length !== HEADER_LENGTH[family]) return undefined;
  const port = ((frame.at(-2) as number) << 8) | (frame.at(-1) as number);
  if (port === 0) return undefined;
  return { family, address: frame.slice(1, -2), port };
}

/** The WebSocket close reason, cut to what a close frame may carry (RFC 6455 5.5: 123 bytes of UTF-8). */
export function closeReason(text: string): string {
  return text.slice(0, 120);
}
