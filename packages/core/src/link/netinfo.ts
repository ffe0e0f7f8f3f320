// NETINFO cells (tor-spec 4.5): what we send, and what of the relay's we believe, which is its clock.

import type { RelayAddress } from "../base/address.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { linkViolation } from "./errors.ts";

/** Our NETINFO's body: no time and no address of our own, only the one that we asked for. ATYPE is 4 or 6. */
export function encodeNetinfo(other: RelayAddress): Uint8Array {
  return new Writer(32).u32(0).u8(other.family).vector(1, other.address).u8(0).finish();
}

/**
 * The relay's clock in milliseconds since the epoch, to the second below; undefined when it tells none.
 * Its addresses are held to their form and not used: it may say what it likes.
 */
export function parseNetinfo(body: Uint8Array): number | undefined {
  const reader = new Reader(body, (message) => linkViolation("NETINFO", `malformed NETINFO: ${message}`));
  const seconds = reader.u32();
  skipAddress(reader);
  for (let left = reader.u8(); left > 0; left--) skipAddress(reader);
  return seconds === 0 ? undefined : seconds * 1000;
}

function skipAddress(reader: Reader): void {
  reader.u8();
  reader.vector(1);
}

/**
 * The relay's clock minus ours in milliseconds, as far as it is certain: the relay read its clock somewhere between our
 * `sent` and `received`, and cut it to the second. 0 when that explains the difference.
 */
export function estimateClockSkew(relayClock: number | undefined, sent: number, received: number): number {
  if (relayClock === undefined) return 0;
  const least = Math.floor(relayClock - received);
  const most = Math.ceil(relayClock + 1000 - sent);
  if (least > 0) return least;
  return Math.min(most, 0);
}
