// Whether two relays stand in one network: the first 16 bits of any IPv4 address or the first 32 of any IPv6 address
// are equal (path-spec 2.2; all addresses of both relays count).

import type { RelayAddress } from "../base/address.ts";
import type { Relay } from "../directory/api.ts";

const PREFIX_BYTES = { 4: 2, 6: 4 } as const;

/** A test for relays that share a subnet with `relay`. */
export function subnetOf(relay: Relay): (other: Relay) => boolean {
  const subnets = new Set(relay.addresses.map(subnet));
  return (other) => other.addresses.some((address) => subnets.has(subnet(address)));
}

/** A subnet as a number of its own: IPv6 prefixes stand above all IPv4 ones. */
function subnet({ family, address }: RelayAddress): number {
  let prefix = family === 6 ? 1 : 0;
  for (let i = 0; i < PREFIX_BYTES[family]; i++) prefix = prefix * 256 + (address[i] ?? 0);
  return prefix;
}
