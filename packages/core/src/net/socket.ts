// TCP and TLS through Tor in the shape of the WinterTC sockets API (https://sockets-api.proposal.wintertc.org/).
// Not here: TLS itself (secure.ts), and the socket's streams (socket-streams.ts).

import { badApiUsage } from "../base/errors.ts";
import type { SecureParameters, SocketOpener } from "./api.ts";
import { type Destination, parseDestination } from "./host.ts";
import type { TorSocket, TorSocketOptions } from "./socket-api.ts";
import { Socket } from "./socket-streams.ts";

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

/** More would not fit a ClientHello. */
const MAX_PROTOCOLS = 64;

/** RFC 7301 3.1: names of 1 to 255 bytes; here in ASCII, as all registered ones are but GREASE. */
function checkAlpn(alpn: readonly string[] | undefined): readonly string[] | undefined {
  if (alpn === undefined) return undefined;
  const isName = (name: unknown) => typeof name === "string" && /^[\x21-\x7e]{1,255}$/.test(name);
  if (!Array.isArray(alpn) || alpn.length > MAX_PROTOCOLS || !alpn.every(isName))
    throw badApiUsage(
      "ALLIUM_E_SOCKET_TLS",
      `alpn must be a list of at most ${MAX_PROTOCOLS} protocol names`,
    );
  return [...alpn];
}
