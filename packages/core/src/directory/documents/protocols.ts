// Subprotocol versions, "Link=3-5 Relay=1-2,5" (dir-spec 2.1.1 "proto", tor-spec 9).

import { badDocument } from "./tokenizer.ts";

/** tor-spec 9 and C tor: versions are 0 to 63. */
const MAX_VERSION = 63;
/** The public network knows 14 subprotocols; an entry list far longer than that is an attack. */
const MAX_ENTRIES = 64;

/** A set of versions of named subprotocols. Immutable. */
export class Protocols {
  /** One bit a version: a consensus that nobody has verified yet may hold millions of these. */
  readonly #versions: ReadonlyMap<string, bigint>;

  constructor(versions: ReadonlyMap<string, bigint>) {
    this.#versions = versions;
  }

  supports(name: string, version: number): boolean {
    return hasVersion(this.#versions.get(name) ?? 0n, version);
  }

  /** Every `Name=version` here that `other` lacks. */
  missingFrom(other: Protocols): string[] {
    const missing: string[] = [];
    for (const [name, versions] of this.#versions) {
      for (let version = 0; version <= MAX_VERSION; version++) {
        if (hasVersion(versions, version) && !other.supports(name, version))
          missing.push(`${name}=${version}`);
      }
    }
    return missing;
  }
}

function hasVersion(versions: bigint, version: number): boolean {
  return ((versions >> BigInt(version)) & 1n) === 1n;
}

/** Parses a list of entries; an empty list, and an entry without versions, are allowed. */
export function parseProtocols(text: string): Protocols {
  const versions = new Map<string, bigint>();
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

function parseVersions(text: string): bigint {
  let set = 0n;
  // 64 versions need at most 32 ranges with gaps between them.
  const ranges = text === "" ? [] : text.split(",", MAX_VERSION + 2);
  if (ranges.length > MAX_VERSION + 1) throw badDocument("too many subprotocol versions");
  for (const range of ranges) {
    const match = /^(0|[1-9][0-9]?)(?:-(0|[1-9][0-9]?))?$/.exec(range);
    const low = Number(match?.[1]);
    const high = Number(match?.[2] ?? match?.[1]);
    if (match === null || high < low || high > MAX_VERSION)
      throw badDocument("malformed subprotocol versions");
    set |= ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
  }
  return set;
}
