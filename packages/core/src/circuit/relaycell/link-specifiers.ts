// Link specifiers of EXTEND2: where and who the next relay is (tor-spec 5.1.2).

import type { RelayAddress } from "../../base/address.ts";
import { type Reader, Writer } from "../../base/bytes.ts";
import type { ChannelTarget } from "../../link/api.ts";
import { malformedMessage } from "../violation.ts";

/** A link specifier as it is on the wire. */
export interface LinkSpecifier {
  readonly type: number;
  readonly data: Uint8Array;
}

/** LSTYPE (tor-spec 5.1.2). */
export const LinkSpecifierType = { IPV4: 0, IPV6: 1, RSA_ID: 2, ED25519_ID: 3 } as const;

/**
 * A relay's specifiers in the order of C tor: IPv4, RSA, Ed25519. C tor's clients leave the IPv6 address out, so a client
 * that names it would stand out; it stands where there is no other.
 */
export function linkSpecifiers(target: ChannelTarget): LinkSpecifier[] {
  const v4 = target.addresses.find((address) => address.family === 4);
  const v6 = v4 === undefined ? target.addresses.find((address) => address.family === 6) : undefined;
  return [
    ...(v4 === undefined ? [] : [{ type: LinkSpecifierType.IPV4, data: socketBytes(v4) }]),
    { type: LinkSpecifierType.RSA_ID, data: target.rsaId },
    { type: LinkSpecifierType.ED25519_ID, data: target.ed25519Id },
    ...(v6 === undefined ? [] : [{ type: LinkSpecifierType.IPV6, data: socketBytes(v6) }]),
  ];
}

/** NSPEC and the specifiers. */
export function writeLinkSpecifiers(writer: Writer, specifiers: readonly LinkSpecifier[]): Writer {
  writer.u8(specifiers.length);
  for (const { type, data } of specifiers) writer.u8(type).vector(1, data);
  return writer;
}

const LENGTHS: ReadonlyMap<number, number> = new Map([
  [LinkSpecifierType.IPV4, 6],
  [LinkSpecifierType.IPV6, 18],
  [LinkSpecifierType.RSA_ID, 20],
  [LinkSpecifierType.ED25519_ID, 32],
]);

/** NSPEC and the specifiers; those of unknown types are kept as they are. */
export function readLinkSpecifiers(reader: Reader): LinkSpecifier[] {
  const specifiers: LinkSpecifier[] = [];
  for (let left = reader.u8(); left > 0; left--) {
    const type = reader.u8();
    const data = reader.vector(1);
    const length = LENGTHS.get(type);
    if (length !== undefined && data.length !== length) {
      throw malformedMessage(`a link specifier of type ${type} with ${data.length} bytes`);
    }
    specifiers.push({ type, data });
  }
  return specifiers;
}

function socketBytes({ address, port }: RelayAddress): Uint8Array {
  return new Writer(18).bytes(address).u16(port).finish();
}
