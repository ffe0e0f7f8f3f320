// TCP and TLS through Tor in the shape of the WinterTC sockets API (https://sockets-api.proposal.wintertc.org/).
// Not here: TLS itself (secure.ts), and the socket's streams (socket-streams.ts).

import { badApiUsage } from "../base/errors.ts";
import type { SecureParameters, SocketOpener } from "./api.ts";
import { type Destination, parseDestination } from "./host.ts";
import { Socket } from "./socket-streams.ts";

export interface TorSocketOptions {
  /** `on`: TLS from the first byte. `starttls`: plain, until `startTls()`. */
  readonly secureTransport?: "off" | "on" | "starttls";
  /** The name that a server with TLS must prove, and is told that it is asked for; the host name unless told otherwise. */
  readonly sni?: string;
  /** Protocols to offer by ALPN (RFC 7301), the preferred one first. */
  readonly alpn?: readonly string[];
  /** Only false: an END ends a Tor stream in both directions, so nothing could be sent after the peer's. */
  readonly allowHalfOpen?: false;
  /** Sockets with different keys never share a circuit. */
  readonly isolation?: string;
  /** Ends the socket, opened or not, with the signal's error. */
  readonly signal?: AbortSignal;
}

export interface TorSocketInfo {
  /** `ip:port` that the exit connected to, where it said so. */
  readonly remoteAddress?: string;
  /** Never known: it is the exit's. */
  readonly localAddress?: string;
  /** What ALPN settled on. */
  readonly alpn?: string;
}

/**
 * A socket. When the peer ends, `readable` closes, and with it the whole socket. Closing the writer waits for what was
 * written to be taken and sends nothing more, but the peer is not told before `close()`: Tor has no half-close, an END
 * in that moment would cut off the answer.
 */
export interface TorSocket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
  /** Fulfilled once the exit is connected; with TLS, once the server has proved its name. */
  readonly opened: Promise<TorSocketInfo>;
  /** Fulfilled after a clean end or `close()`, rejected with a TorError otherwise. */
  readonly closed: Promise<void>;
  /** Whether `startTls()` has given its connection to another socket. */
  readonly upgraded: boolean;
  readonly secureTransport: "off" | "on" | "starttls";
  /**
   * The same connection through TLS, as a new socket; this one is over. For sockets of `secureTransport: "starttls"`, once.
   * @throws TorError `bad-api-usage` where it cannot be
   */
  startTls(): TorSocket;
  /** Ends both directions at once; what was not yet taken is dropped. Returns `closed`. */
  close(reason?: unknown): Promise<void>;
}

/**
 * Opens a socket to `"host:port"` or `{ hostname, port }`; the returned socket may be used at once.
 * @throws TorError `bad-api-usage` for arguments that can never work
 */
export function connect(
  opener: SocketOpener,
  address: string | { hostname: string; port: number },
  options: TorSocketOptions = {},
): TorSocket {
  const { hostname, port, secureTransport, ...tls } = socketDestination(address, options);
  const request = { hostname, port, isolation: options.isolation };
  return new Socket({
    ...{ port, secureTransport, signal: options.signal },
    open: (signal) =>
      secureTransport === "on"
        ? opener.openSecure({ ...request, ...tls, signal })
        : opener.openStream({ ...request, signal }),
    secure: (stream, signal) => opener.secure(stream, { ...request, ...tls, signal }),
  });
}

/** Where a socket goes and how. */
export interface SocketDestination extends Destination, SecureParameters {
  readonly secureTransport: "off" | "on" | "starttls";
}

/** Where a socket goes, once its options are found possible. @throws TorError `bad-api-usage` */
export function socketDestination(
  address: string | { hostname: string; port: number },
  options: TorSocketOptions,
): SocketDestination {
  const { secureTransport = "off", allowHalfOpen = false, sni, alpn } = options;
  if (!["off", "on", "starttls"].includes(secureTransport))
    throw badApiUsage("ALLIUM_E_SOCKET_TLS", 'secureTransport must be "off", "on" or "starttls"');
  if (allowHalfOpen)
    throw badApiUsage("ALLIUM_E_SOCKET_HALF_OPEN", "allowHalfOpen is not possible: Tor has no half-close");
  const destination = parseDestination(address);
  // The port only makes it a destination.
  const serverName = sni === undefined ? undefined : parseDestination({ hostname: sni, port: 443 }).hostname;
  return { ...destination, secureTransport, serverName, alpn: checkAlpn(alpn) };
}

/** RFC 7301 3.1: names of 1 to 255 bytes; here in ASCII, as all registered ones are but GREASE. */
function checkAlpn(alpn: readonly string[] | undefined): readonly string[] | undefined {
  if (alpn !== undefined && !alpn.every((name) => /^[\x21-\x7e]{1,255}$/.test(name)))
    throw badApiUsage("ALLIUM_E_SOCKET_TLS", "alpn must be a list of protocol names");
  return alpn;
}
