// NETINFO cells (tor-spec 4.5): what we send, and what of the relay's we believe (its clock).

import type { RelayAddress } from "../base/address.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { linkViolation } from "./errors.ts";

/** tor-spec 6.4: address types. */
const ADDRESS_TYPE = { 4: 4, 6: 6 } as const;

/** Our NETINFO: no time and no address of our own, only the one that we asked for. */
export function encodeNetinfo(other: RelayAddress): Uint8Array {
  return new Writer(32).u32(0).u8(ADDRESS_TYPE[other.family]).vector(1, other.address).u8(0).finish();
}

/** The relay's clock in milliseconds since the epoch, to the second. Its addresses are read and not believed. */
export function parseNetinfo(body: Uint8Array): number {
  const reader = new Reader(body, (message) => linkViolation(`malformed NETINFO: ${message}`));
  const seconds = reader.u32();
  readAddress(reader);
  for (let left = reader.u8(); left > 0; left--) readAddress(reader);
  return seconds * 1000;
}

function readAddress(reader: Reader): void {
  reader.u8();
  reader.vector(1);
}
