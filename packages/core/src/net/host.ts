// A destination as callers write it: host and port, the host in the one form that streams take.

import { badApiUsage } from "../base/errors.ts";

export interface Destination {
  /** A lower-case ASCII name or an IP literal, IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/** A SOCKS host name, and so one in BEGIN, has at most 255 bytes; a DNS name 253 (RFC 1035 2.3.4). */
const MAX_HOSTNAME = 255;

function badAddress(message: string) {
  return badApiUsage("ALLIUM_E_BAD_DESTINATION", message);
}

/** `"host:port"`, `"[ipv6]:port"` or both apart. @throws TorError `bad-api-usage` */
export function parseDestination(address: string | { hostname: string; port: number }): Destination {
  if (typeof address !== "string") {
    const { hostname, port } = Object(address);
    return { hostname: normalizeHost(hostname), port: checkPort(port) };
  }
  const match = /^(\[[^\]]*\]|[^:]+):([0-9]{1,5})$/.exec(address);
  if (match === null) throw badAddress('the address is not "host:port"');
  return { hostname: normalizeHost(match[1] as string), port: checkPort(Number(match[2])) };
}

function checkPort(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw badAddress("the port is not between 1 and 65535");
  return port;
}

/** The URL parser's reading of a host: IDNA, lower case, one form for each IP address. */
function normalizeHost(hostname: unknown): string {
  if (typeof hostname !== "string") throw badAddress("the host is not a text");
  const host = hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
  const url = `http://${host}/`;
  // What ends a host in a URL would otherwise be cut off without a word.
  if (/[\s/\\?#@%]/.test(host) || !URL.canParse(url))
    throw badAddress("the host is not a host name or IP address");
  const parsed = new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
  if (parsed.length > MAX_HOSTNAME) throw badAddress("the host name is too long");
  return parsed;
}
