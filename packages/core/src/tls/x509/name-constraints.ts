// Name constraints (RFC 5280 4.2.1.10): host names, IP addresses, and permitted directory names. Whoever constrains another
// kind of name gets every name of that kind refused, and so do excluded directory names, which nothing here can compare
// as 7.1 wants it.

import { fromLatin1 } from "../../base/encoding.ts";
import { DER, DerReader, derError } from "../../crypto/der.ts";
import { type GeneralName, NAME, readGeneralName } from "./general-name.ts";
import { readHostName } from "./host.ts";

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** @throws TorError `ALLIUM_E_DER` */
export function readNameConstraints(reader: DerReader): NameConstraints {
  const fields = reader.enter();
  if (fields.atEnd) throw derError("no constraints");
  const permitted = readSubtrees(fields, 0xa0);
  const excluded = readSubtrees(fields, 0xa1);
  fields.end();
  return { permitted, excluded };
}

function readSubtrees(fields: DerReader, tag: number): GeneralName[] {
  if (fields.peekTag() !== tag) return [];
  const list = fields.enter(tag);
  const bases: GeneralName[] = [];
  do {
    const subtree = list.enter();
    const base = readGeneralName(subtree);
    // Minimum and maximum are not used (4.2.1.10).
    subtree.end();
    if (!isBase(base)) throw derError("a constraint");
    bases.push(base);
  } while (!list.atEnd);
  return bases;
}

function isBase({ tag, contents }: GeneralName): boolean {
  if (tag === NAME.dns) return contents.length === 0 || readHostName(contents) !== undefined;
  if (tag !== NAME.ip) return true;
  const half = contents.length / 2;
  if (half !== 4 && half !== 16) return false;
  // Ones, then zeros.
  let bits = "";
  for (const byte of contents.subarray(half)) bits += byte.toString(2).padStart(8, "0");
  return !bits.includes("01");
}

/** Whether all of the names are allowed. */
export function allowsNames(
  { permitted, excluded }: NameConstraints,
  names: readonly GeneralName[],
): boolean {
  return names.every((name) => {
    const sameKind = ({ tag }: GeneralName) => tag === name.tag;
    const bases = permitted.filter(sameKind);
    return (
      !excluded.some((base) => sameKind(base) && isWithin(name, base, true)) &&
      (bases.length === 0 || bases.some((base) => isWithin(name, base, false)))
    );
  });
}

/** Whether `name` is in the subtree; `unsure` where that cannot be said. */
function isWithin({ tag, contents }: GeneralName, base: GeneralName, unsure: boolean): boolean {
  if (tag === NAME.dns) return isHostWithin(contents, fromLatin1(base.contents).toLowerCase(), unsure);
  if (tag === NAME.directory) return startsWith(nameParts(contents), nameParts(base.contents)) || unsure;
  if (tag !== NAME.ip || (contents.length !== 4 && contents.length !== 16)) return unsure;
  const { length } = contents;
  return (
    base.contents.length === 2 * length &&
    contents.every((byte, i) => {
      const mask = base.contents[length + i] as number;
      return (byte & mask) === ((base.contents[i] as number) & mask);
    })
  );
}

function isHostWithin(contents: Uint8Array, base: string, unsure: boolean): boolean {
  const isWildcard = contents[0] === 0x2a && contents[1] === 0x2e;
  const name = readHostName(isWildcard ? contents.subarray(2) : contents);
  if (name === undefined) return unsure;
  if (base === "" || name === base || name.endsWith(`.${base}`)) return true;
  // One of the names that a wildcard stands for may be in it.
  return unsure && isWildcard && base.endsWith(`.${name}`);
}

/** The parts of a Name in DER, without its own tag and length. */
function nameParts(name: Uint8Array): Uint8Array {
  return new DerReader(name).read(DER.sequence).contents;
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, i) => byte === bytes[i]);
}
