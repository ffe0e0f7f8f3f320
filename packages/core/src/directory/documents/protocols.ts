// Subprotocol versions, "Link=3-5 Relay=1-2,5" (dir-spec 2.1.1 "proto", tor-spec 9).

import { badDocument } from "./tokenizer.ts";

/** tor-spec 9 and C tor: versions are 0 to 63. */
const MAX_VERSION = 63;
/** The public network knows 14 subprotocols; an entry list far longer than that is an attack. */
const MAX_ENTRIES = 256;

/** A set of versions of named subprotocols. Immutable. */
export class Protocols {
  readonly #versions: ReadonlyMap<string, readonly boolean[]>;

  constructor(versions: ReadonlyMap<string, readonly boolean[]>) {
    this.#versions = versions;
  }

  supports(name: string, version: number): boolean {
    return this.#versions.get(name)?.[version] === true;
  }

  /** Every `Name=version` here that `other` lacks. */
  missingFrom(other: Protocols): string[] {
    const missing: string[] = [];
    for (const [name, versions] of this.#versions) {
      for (const [version, wanted] of versions.entries()) {
        if (wanted && !other.supports(name, version)) missing.push(`${name}=${version}`);
      }
    }
    return missing;
  }
}

/** Parses a list of entries; an empty list, and an entry without versions, are allowed. */
export function parseProtocols(text: string): Protocols {
  const versions = new Map<string, boolean[]>();
  const entries = text.split(/[ \t]+/).filter((entry) => entry !== "");
  if (entries.length > MAX_ENTRIES) throw badDocument("too many subprotocols");
  for (const entry of entries) {
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)=([0-9,-]*)$/.exec(entry);
    if (match === null || match[2] === undefined) throw badDocument("malformed subprotocol entry");
    const name = match[1] as string;
    if (versions.has(name)) throw badDocument("a subprotocol is named twice");
    versions.set(name, parseVersions(match[2]));
  }
  return new Protocols(versions);
}

function parseVersions(text: string): boolean[] {
  const set: boolean[] = new Array<boolean>(MAX_VERSION + 1).fill(false);
  // 64 versions need at most 32 ranges with gaps between them.
  const ranges = text === "" ? [] : text.split(",", MAX_VERSION + 2);
  if (ranges.length > MAX_VERSION + 1) throw badDocument("too many subprotocol versions");
  for (const range of ranges) {
    const match = /^(0|[1-9][0-9]?)(?:-(0|[1-9][0-9]?))?$/.exec(range);
    const low = Number(match?.[1]);
    const high = Number(match?.[2] ?? match?.[1]);
    if (match === null || high < low || high > MAX_VERSION)
      throw badDocument("malformed subprotocol versions");
    set.fill(true, low, high + 1);
  }
  return set;
}
