// The client's side of the bridge protocol: where to connect, the destination message, what a close code means.
// Specified in docs/protocol/bridge.md.

import { type RelayAddress, TorError, type TorErrorCode, type TorErrorKind } from "@allium/core";

/** The subprotocol that a bridge must agree to. */
export const SUBPROTOCOL = "tor-bridge.v1";
/** Largest message a bridge takes, in bytes. */
export const MAX_MESSAGE = 65_536;
/** The relay closed the connection: an ordinary end. */
export const NORMAL_CLOSE = 1000;
/** Another address of the same relay may do better. */
export const TRY_OTHER_ADDRESS: ReadonlySet<number> = new Set([4400, 4408, 4502]);

/** `wss://host/`, with or without a path, as the URL to connect to. @throws TorError `bad-api-usage` */
export function connectUrl(bridge: string): string {
  const url = URL.canParse(bridge) ? new URL(bridge) : undefined;
  const protocol = { "ws:": "ws:", "wss:": "wss:", "http:": "ws:", "https:": "wss:" }[url?.protocol ?? ""];
  if (url === undefined || protocol === undefined || url.username !== "" || url.password !== "") {
    throw new TorError(
      "bad-api-usage",
      "ALLIUM_E_BRIDGE_URL",
      'a bridge is a URL such as "wss://bridge.example/"',
    );
  }
  const path = url.pathname.replace(/\/*$/, "").replace(/\/v1\/connect$/, "");
  return `${protocol}//${url.host}${path}/v1/connect`;
}

/** The subprotocols to offer; a token stands beside the real one. @throws TorError `bad-api-usage` */
export function subprotocols(token: string | undefined): string[] {
  if (token === undefined) return [SUBPROTOCOL];
  if (!/^[A-Za-z0-9_-]+$/.test(token)) {
    throw new TorError("bad-api-usage", "ALLIUM_E_BRIDGE_TOKEN_FORMAT", "a bridge's token is base64url");
  }
  return [SUBPROTOCOL, `t.${token}`];
}

/** The first message: `type 4 or 6 | address | port`, big endian. */
export function destinationMessage({ family, address, port }: RelayAddress): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(family, ...address, port >> 8, port & 255);
}

/** Milliseconds to wait where the bridge names no time. */
const LIMIT_RETRY = 60_000;
const DRAINING_RETRY = 5_000;

type Meaning = readonly [kind: TorErrorKind, code: TorErrorCode, message: string, retryAfter?: number];

const MEANINGS: Readonly<Record<number, Meaning>> = {
  1009: ["bridge-refused", "ALLIUM_E_BRIDGE_MESSAGE_SIZE", "the bridge found a message too large"],
  4400: [
    "bridge-refused",
    "ALLIUM_E_BRIDGE_DESTINATION",
    "the bridge did not understand the relay's address",
  ],
  4401: ["bridge-refused", "ALLIUM_E_BRIDGE_TOKEN", "the bridge wants a valid token"],
  4403: ["bridge-refused", "ALLIUM_E_BRIDGE_DENIED", "the bridge does not connect to this relay"],
  4408: ["bridge-unreachable", "ALLIUM_E_BRIDGE_TIMEOUT", "the relay did not answer the bridge in time"],
  4429: [
    "bridge-refused",
    "ALLIUM_E_BRIDGE_LIMIT",
    "the bridge is asked too much by this client",
    LIMIT_RETRY,
  ],
  4502: ["bridge-unreachable", "ALLIUM_E_BRIDGE_RELAY", "the bridge could not reach the relay"],
  4503: [
    "bridge-refused",
    "ALLIUM_E_BRIDGE_DRAINING",
    "the bridge is not ready or going down",
    DRAINING_RETRY,
  ],
};

/** Closed by the other side's machinery: no code at all, an aborted connection, a server going away. */
const LOST: ReadonlySet<number> = new Set([1001, 1005, 1006]);

/** The error for a WebSocket that was open and closed with this code, which is not 1000. */
export function closeError(code: number, reason: string): TorError {
  if (LOST.has(code)) {
    return new TorError("bridge-unreachable", "ALLIUM_E_BRIDGE_LOST", "the connection to the bridge broke");
  }
  const [kind, name, message, retry] = MEANINGS[code] ?? [
    "bridge-refused",
    "ALLIUM_E_BRIDGE_CLOSED",
    `the bridge closed the connection with code ${code}`,
  ];
  const told = code === 4429 || code === 4503 ? secondsIn(reason) : undefined;
  const retryAfter = told ?? retry;
  return new TorError(kind, name, message, retryAfter === undefined ? {} : { retryAfter });
}

/** A reason may end in "retry after N", N in seconds; a bridge cannot send its client away for more than an hour. */
function secondsIn(reason: string): number | undefined {
  const match = /\bretry after ([0-9]{1,6})\b/i.exec(reason);
  return match === null ? undefined : Math.min(Number(match[1]), 3600) * 1000;
}
