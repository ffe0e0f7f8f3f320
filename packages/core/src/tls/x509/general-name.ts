// GeneralNames (RFC 5280 4.2.1.6): what certificates are for, and what name constraints speak of. Not here: what the
// names must match (host.ts, name-constraints.ts).

import { type DerReader, derError } from "../../crypto/der.ts";

/** Tags of the kinds of names that something here speaks of; the others are carried along. */
export const NAME = { mail: 0x81, dns: 0x82, directory: 0xa4, ip: 0x87 } as const;

export interface GeneralName {
  /** The context tag. */
  readonly tag: number;
  /** ASCII for a host name, an address (for a constraint with its mask), a whole Name for a directory name. */
  readonly contents: Uint8Array;
}

export function readGeneralName(reader: DerReader): GeneralName {
  const { tag, contents } = reader.read();
  // Context-specific, 0 to 8.
  if ((tag & 0xc0) !== 0x80 || (tag & 0x1f) > 8) throw derError("a name of an unknown kind");
  return { tag, contents };
}
