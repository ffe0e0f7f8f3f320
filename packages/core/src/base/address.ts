// IP socket addresses: parsing (literals only, canonical), formatting, and which ranges are internal.
// Specified in RFC 4291, RFC 5952, RFC 6890; the internal ranges follow C tor's and the bridge's rules.

import { badApiUsage, type TorError } from "./errors.ts";

/** An IP address with a port: where a relay listens. `address` is 4 or 16 bytes. */
export interface RelayAddress {
  readonly family: 4 | 6;
  readonly address: Uint8Array;
  readonly port: number;
}

function malformed(text: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_ADDRESS", `not an IP address: ${JSON.stringify(text.slice(0, 80))}`);
}

/** Bytes of a dotted-quad IPv4 literal (decimal, no leading zeros), or undefined. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

/** Bytes of an IPv6 literal without brackets and without a zone, or undefined. */
export function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > 45 || !/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = ipv6Groups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? ipv6Groups(halves[1] as string, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const bytes = new Uint8Array(16);
  const groups = [...head, ...new Array<number>(Math.max(missing, 0)).fill(0), ...tail];
  for (const [i, group] of groups.entries()) {
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group & 255;
  }
  return bytes;
}

function ipv6Groups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const v4 = i === parts.length - 1 && mayEndInIpv4 ? parseIpv4(part) : undefined;
      if (v4 === undefined) return undefined;
      groups.push(((v4[0] as number) << 8) | (v4[1] as number), ((v4[2] as number) << 8) | (v4[3] as number));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

/** Bytes of an IP literal of either family (IPv6 without brackets), or undefined when it is not one. */
export function parseIp(text: string): Uint8Array | undefined {
  return parseIpv4(text) ?? parseIpv6(text);
}

/** `127.0.0.1:5001` or `[2001:db8::1]:443`. Throws `bad-api-usage` on anything else. */
export function parseSocketAddress(text: string): RelayAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([1-9][0-9]{0,4})$/.exec(text);
  const port = Number(match?.[3]);
  const bytes =
    match === null ? undefined : match[1] === undefined ? parseIpv4(match[2] as string) : parseIpv6(match[1]);
  if (bytes === undefined || port > 65535) throw malformed(text);
  return { family: bytes.length === 4 ? 4 : 6, address: bytes, port };
}

/** The canonical text of an IP address (RFC 5952 for IPv6, no brackets). */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  const { start, length } = longestZeroRun(groups);
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** `127.0.0.1:5001` or `[2001:db8::1]:443`, canonical: equal addresses have equal texts. */
export function formatSocketAddress(address: RelayAddress): string {
  const ip = formatIp(address.address);
  return address.family === 4 ? `${ip}:${address.port}` : `[${ip}]:${address.port}`;
}

type Range = readonly [prefix: readonly number[], bits: number];

// IANA special-purpose registries (RFC 6890 and its updates).
const INTERNAL_V4: readonly Range[] = [
  [[0], 8],
  [[10], 8],
  [[100, 64], 10],
  [[127], 8],
  [[169, 254], 16],
  [[172, 16], 12],
  [[192, 0, 0], 24],
  [[192, 0, 2], 24],
  [[192, 88, 99], 24],
  [[192, 168], 16],
  [[198, 18], 15],
  [[198, 51, 100], 24],
  [[203, 0, 113], 24],
  [[224], 4],
  [[240], 4],
];

// Forms that embed an IPv4 address (mapped, NAT64, 6to4, Teredo) are internal whatever they embed.
const INTERNAL_V6: readonly Range[] = [
  [[0, 0, 0, 0, 0, 0, 0, 0], 8],
  [[0, 0x64, 0xff, 0x9b], 32],
  [[1, 0], 64],
  [[0x20, 1, 0, 0], 23],
  [[0x20, 1, 0x0d, 0xb8], 32],
  [[0x20, 2], 16],
  [[0x3f, 0xff], 20],
  [[0x5f, 0], 16],
  [[0xfc], 7],
  [[0xfe, 0x80], 10],
  [[0xfe, 0xc0], 10],
  [[0xff], 8],
];

function inRange(bytes: Uint8Array, [prefix, bits]: Range): boolean {
  for (let i = 0; i * 8 < bits; i++) {
    const mask = bits - i * 8 >= 8 ? 255 : (0xff00 >> (bits - i * 8)) & 255;
    if (((bytes[i] as number) & mask) !== ((prefix[i] ?? 0) & mask)) return false;
  }
  return true;
}

/** Whether an IP address (4 or 16 bytes) is loopback, private, link-local, multicast, mapped or otherwise not public. */
export function isInternalIp(bytes: Uint8Array): boolean {
  return (bytes.length === 4 ? INTERNAL_V4 : INTERNAL_V6).some((range) => inRange(bytes, range));
}
