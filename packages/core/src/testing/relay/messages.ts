// Messages of test relays that are written more than once.

import { parseIp } from "../../base/address.ts";
import { RelayCommand } from "../../circuit/relaycell/command.ts";
import type { RelayMessage } from "../../circuit/relaycell/messages.ts";

/** CONNECTED to an address, IPv4 or IPv6. */
export function connected(address: string): RelayMessage {
  return { command: RelayCommand.CONNECTED, address: addressBytes(address), ttl: 300 };
}

/** 4 or 16 bytes. */
export function addressBytes(text: string): Uint8Array {
  const address = parseIp(text);
  if (address === undefined) throw new RangeError(`no address: ${text}`);
  return address;
}
