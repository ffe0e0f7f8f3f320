// Relay messages as typed values (tor-spec 6.2, 6.3, 7.3).

import { formatIp, isInternalIp, parseIp, parseIpv6 } from "../base/address.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { utf8 } from "../base/encoding.ts";
import { badApiUsage } from "../base/errors.ts";
import { circuitViolation, END_REASON } from "./errors.ts";

/** BEGIN flags (tor-spec 6.2). */
const FLAG = { ipv6Ok: 1, ipv6Preferred: 4 } as const;
/** Longest host name of DNS (RFC 1035 2.3.4). */
const MAX_HOSTNAME = 255;
const SENDME_VERSION = 1;

/**
 * BEGIN: "host:port", NUL, flags. Flags are left out where they are zero, as C tor does.
 * @param ipv6 whether the exit's policy allows the port over IPv6; then both families are allowed and IPv6 preferred
 */
export function encodeBegin(hostname: string, port: number, ipv6: boolean): Uint8Array {
  const host =
    parseIpv6(hostname) === undefined ? hostname : `[${formatIp(parseIpv6(hostname) as Uint8Array)}]`;
  const writer = new Writer(host.length + 16).bytes(utf8(`${host}:${port}`)).u8(0);
  if (ipv6) writer.u32(FLAG.ipv6Ok | FLAG.ipv6Preferred);
  return writer.finish();
}

/** Refuses what must never be put into a BEGIN. @throws TorError `bad-api-usage` */
export function checkDestination(hostname: string, port: number, allowInternal: boolean): void {
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw badApiUsage("ALLIUM_E_BAD_DESTINATION", "the port is not between 1 and 65535");
  }
  const ip = parseIp(hostname);
  if (ip !== undefined && !allowInternal && isInternalIp(ip)) {
    throw badApiUsage("ALLIUM_E_INTERNAL_ADDRESS", "the destination is an internal address");
  }
  if (
    ip === undefined &&
    (hostname.length > MAX_HOSTNAME || !/^[\x21-\x39\x3b-\x5a\x5c\x5e-\x7e]+$/.test(hostname))
  ) {
    throw badApiUsage(
      "ALLIUM_E_BAD_DESTINATION",
      "the host name is empty, too long, or has characters that names have not",
    );
  }
}

/** The address in a CONNECTED (4 or 16 bytes); undefined for an empty one, as directory streams have. */
export function parseConnected(data: Uint8Array): Uint8Array | undefined {
  if (data.length === 0) return undefined;
  const reader = new Reader(data, (message) => circuitViolation(`malformed CONNECTED: ${message}`));
  const ipv4 = reader.take(4);
  if (ipv4.some((byte) => byte !== 0)) {
    reader.u32();
    return ipv4.slice();
  }
  if (reader.u8() !== 6) throw circuitViolation("CONNECTED with an unknown address type");
  const ipv6 = reader.take(16).slice();
  reader.u32();
  return ipv6;
}

/** The reason of an END; an empty one means MISC (tor-spec 6.3). */
export function parseEnd(data: Uint8Array): number {
  return data[0] ?? END_REASON.misc;
}

/** An authenticated SENDME (version 1) with the tag of the cell that it answers. */
export function encodeSendme(tag: Uint8Array): Uint8Array {
  return new Writer(32).u8(SENDME_VERSION).vector(2, tag).finish();
}

/** The tag of a circuit-level SENDME. Version 0 carries none and is refused (sendme_accept_min_version). */
export function parseSendme(data: Uint8Array): Uint8Array {
  const reader = new Reader(data, (message) => circuitViolation(`malformed SENDME: ${message}`));
  if (reader.u8() !== SENDME_VERSION) throw circuitViolation("SENDME without authentication");
  return reader.vector(2);
}
