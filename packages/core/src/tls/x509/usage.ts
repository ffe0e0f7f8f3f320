// What a certificate may be used for: its extensions (RFC 5280 4.2) read in strict DER. An extension that is critical and
// not read here is refused. Not here: whether the use at hand is allowed (path.ts, server.ts).

import { toTorError } from "../../base/errors.ts";
import { DER, DerReader, derError } from "../../crypto/der.ts";
import type { Certificate } from "./certificate.ts";
import { certificateError } from "./errors.ts";
import { type GeneralName, readGeneralName } from "./general-name.ts";
import { type NameConstraints, readNameConstraints } from "./name-constraints.ts";

export interface Usage {
  isCa: boolean;
  /** How many CAs that are not self-issued may follow; infinite where nothing is said. */
  pathLength: number;
  /** The first eight bits, digitalSignature the highest; all where nothing is said. */
  keyUsage: number;
  /** OIDs of extendedKeyUsage, undefined where nothing is said. */
  purposes: readonly string[] | undefined;
  names: readonly GeneralName[];
  constraints: NameConstraints | undefined;
}

/** Bits of keyUsage (4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04 } as const;

/** Readers of extensions by OID. Policies have none of their own: without a wanted policy, any will do (6.1.1 c). */
const READERS: Readonly<Record<string, (reader: DerReader, usage: Usage) => void>> = {
  "2.5.29.15": (reader, usage) => {
    usage.keyUsage = readKeyUsage(reader.read(DER.bitString).contents);
  },
  "2.5.29.17": (reader, usage) => {
    usage.names = readAll(reader, readGeneralName);
  },
  "2.5.29.19": readBasicConstraints,
  "2.5.29.30": (reader, usage) => {
    usage.constraints = readNameConstraints(reader);
  },
  "2.5.29.32": (reader) => {
    reader.read(DER.sequence);
  },
  "2.5.29.37": (reader, usage) => {
    usage.purposes = readAll(reader, (list) => list.oid());
  },
};

/** @throws TorError `ALLIUM_E_CERT_MALFORMED`, or `ALLIUM_E_CERT_CONSTRAINT` for an unknown critical extension */
export function readUsage({ extensions, issuer, subject, version }: Certificate): Usage {
  const usage: Usage = {
    isCa: false,
    pathLength: Number.POSITIVE_INFINITY,
    keyUsage: 0xff,
    purposes: undefined,
    names: [],
    constraints: undefined,
  };
  if (version !== 3) throw certificateError("MALFORMED", `a certificate of version ${version}`);
  // An empty SEQUENCE (4.1.2.4).
  if (issuer.raw.length === 2) throw certificateError("MALFORMED", "a certificate without issuer");
  for (const { oid, critical, value } of extensions) {
    const read = READERS[oid];
    if (read === undefined) {
      if (critical) throw certificateError("CONSTRAINT", `an unknown critical extension, ${oid}`);
      continue;
    }
    // 4.2.1.6: the names are all that a certificate without subject has.
    if (oid === "2.5.29.17" && subject.raw.length === 2 && !critical) {
      throw certificateError("MALFORMED", "a certificate without subject");
    }
    try {
      const reader = new DerReader(value);
      read(reader, usage);
      reader.end();
    } catch (cause) {
      throw certificateError("MALFORMED", `the extension ${oid}: ${toTorError(cause).message}`, cause);
    }
  }
  // 4.2.1.10: only a CA has any.
  if (usage.constraints !== undefined && !usage.isCa)
    throw certificateError("MALFORMED", "name constraints without CA");
  return usage;
}

/** The elements of a SEQUENCE that must not be empty. */
function readAll<T>(reader: DerReader, read: (list: DerReader) => T): T[] {
  const list = reader.enter();
  const all: T[] = [];
  do all.push(read(list));
  while (!list.atEnd);
  return all;
}

function readKeyUsage(contents: Uint8Array): number {
  const [unused, first] = contents;
  const last = contents.at(-1) as number;
  // A named bit list ends in its last 1 (X.690 11.2.2), and at least one must be set.
  if (
    unused === undefined ||
    first === undefined ||
    unused > 7 ||
    (last & (2 ** (unused + 1) - 1)) !== 1 << unused
  )
    throw derError("key usage");
  return first;
}

function readBasicConstraints(reader: DerReader, usage: Usage): void {
  const fields = reader.enter();
  const isCa = fields.readOptional(DER.boolean);
  // FALSE is the default, which DER leaves out.
  if (isCa !== undefined && (isCa.contents.length !== 1 || isCa.contents[0] !== 0xff))
    throw derError("a flag");
  usage.isCa = isCa !== undefined;
  if (!fields.atEnd) usage.pathLength = Number(fields.unsigned());
  fields.end();
  if (!usage.isCa && usage.pathLength !== Number.POSITIVE_INFINITY)
    throw derError("a path length without CA");
}
