// The bodies of CREATE2, CREATED2, EXTEND2 and EXTENDED2, and link specifiers (tor-spec 5.1.1, 5.1.2).

import { concat, Reader, Writer } from "../../base/bytes.ts";
import type { ChannelTarget } from "../../link/api.ts";
import { circuitViolation } from "../errors.ts";

/** LSTYPE (tor-spec 5.1.2) */
const LINK_SPECIFIER = { 4: 0, 6: 1, rsa: 2, ed25519: 3 } as const;

/** HTYPE | HLEN | HDATA */
export function encodeCreate2(handshakeType: number, onionskin: Uint8Array): Uint8Array {
  return new Writer(onionskin.length + 4).u16(handshakeType).vector(2, onionskin).finish();
}

/** HDATA of a CREATED2 or EXTENDED2; what follows it in CREATED2 is padding. */
export function parseCreated2(body: Uint8Array): Uint8Array {
  return new Reader(body, (message) => circuitViolation(`malformed handshake reply: ${message}`)).vector(2);
}

/** NSPEC link specifiers in C tor's order (IPv4, RSA, Ed25519, IPv6), then a CREATE2 body. */
export function encodeExtend2(
  target: ChannelTarget,
  handshakeType: number,
  onionskin: Uint8Array,
): Uint8Array {
  const address = (family: 4 | 6) => {
    const found = target.addresses.find((candidate) => candidate.family === family);
    if (found === undefined) return undefined;
    const port = new Writer(2).u16(found.port).finish();
    return specifier(LINK_SPECIFIER[family], concat(found.address, port));
  };
  const specifiers = [
    address(4),
    specifier(LINK_SPECIFIER.rsa, target.rsaId),
    specifier(LINK_SPECIFIER.ed25519, target.ed25519Id),
    address(6),
  ].filter((each) => each !== undefined);
  return concat(Uint8Array.of(specifiers.length), ...specifiers, encodeCreate2(handshakeType, onionskin));
}

function specifier(type: number, value: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(type, value.length), value);
}
