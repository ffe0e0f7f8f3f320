// Router entries of a microdescriptor consensus (dir-spec 3.4.1 and 3.9.2): r, a, m, s, v, pr, w.

import { parseIpv4, parseSocketAddress, type RelayAddress } from "../../base/address.ts";
import type { RelayFlag } from "../api.ts";
import { BytePool } from "./byte-pool.ts";
import { type Protocols, parseProtocols } from "./protocols.ts";
import { badDocument, type Item, itemArguments, LineMemo, type Tokenizer } from "./tokenizer.ts";
import { decodeFixedBase64, parseInteger, parseTime } from "./values.ts";

export interface RouterStatus {
  readonly nickname: string;
  /** 20 bytes. */
  readonly rsaId: Uint8Array;
  /** The IPv4 ORPort first, then those of the "a" lines. */
  readonly addresses: readonly RelayAddress[];
  /** SHA-256 of the microdescriptor, unpadded base64. */
  readonly microdescriptor: string;
  readonly flags: ReadonlySet<RelayFlag>;
  readonly protocols: Protocols;
  readonly bandwidth: number;
  readonly unmeasured: boolean;
}

const FLAGS: ReadonlySet<string> = new Set<RelayFlag>([
  "Authority",
  "BadExit",
  "Exit",
  "Fast",
  "Guard",
  "HSDir",
  "MiddleOnly",
  "NoEdConsensus",
  "Running",
  "Stable",
  "StaleDesc",
  "V2Dir",
  "Valid",
]);

const NO_PROTOCOLS = parseProtocols("");

/** The lines of an entry that are read, but for "r" and "a". */
type Line = "m" | "s" | "pr" | "w";

/** The order in which authorities write an entry's lines. */
const ORDER: ReadonlyMap<string, number> = new Map(
  ["r", "a", "m", "s", "v", "pr", "w"].map((keyword, rank) => [keyword, rank]),
);

/** C tor's limits: a nickname has 1 to 19 letters and digits; a digest of 32 bytes has 43 characters. */
const NICKNAME = /^[A-Za-z0-9]{1,19}$/;
const DIGEST = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]$/;
/** One "a" line is what the specification has; a few more are borne. */
const MAX_ADDRESSES = 8;
/** An entry has seven; later versions may have more. */
const MAX_LINES = 100;
const MAX_BANDWIDTH = 2 ** 32 - 1;

/** Reads router entries; what many have in common (flags, protocols) is parsed once and shared. */
export class RouterStatusReader {
  readonly #knownFlags: ReadonlySet<string>;
  readonly #flags = new LineMemo((item) => this.#parseFlags(item));
  readonly #protocols = new LineMemo((item) => parseProtocols(item.rest));
  readonly #bytes = new BytePool();
  #published = "";

  constructor(knownFlags: ReadonlySet<string>) {
    this.#knownFlags = knownFlags;
  }

  /** The entry at the tokenizer's place, which is at its "r" line. */
  read(tokens: Tokenizer): RouterStatus {
    const first = tokens.next() as Item;
    const extra: RelayAddress[] = [];
    const lines: Partial<Record<Line, Item>> = {};
    let rank = 0;
    let count = 0;
    for (let item = tokens.peek(); item !== undefined && !ENDS.has(item.keyword); item = tokens.peek()) {
      tokens.next();
      if (++count === MAX_LINES) throw badDocument("a router entry has too many lines");
      const itemRank = ORDER.get(item.keyword);
      if (itemRank === undefined) continue;
      if (itemRank < rank || (itemRank === rank && item.keyword !== "a")) {
        throw badDocument(`"${item.keyword}" is out of order in a router entry`);
      }
      rank = itemRank;
      if (item.keyword === "a") extra.push(this.#kept(orAddress(item, extra.length)));
      else lines[item.keyword as Line] = item;
    }
    return this.#entry(first, extra, lines);
  }

  #entry(first: Item, extra: readonly RelayAddress[], lines: Partial<Record<Line, Item>>): RouterStatus {
    const words = itemArguments(first, 7) as [string, string, string, string, string, string, string];
    const [nickname, identity, date, time, ip, orPort, dirPort] = words;
    const address = parseIpv4(ip);
    if (!NICKNAME.test(nickname) || address === undefined) throw badDocument('malformed "r" line');
    this.#checkPublished(date, time);
    const port = parseInteger(orPort, 1, 65535);
    parseInteger(dirPort, 0, 65535);
    const digest = lines.m === undefined ? "" : (itemArguments(lines.m, 1)[0] as string);
    if (!DIGEST.test(digest)) throw badDocument("a router entry has no microdescriptor digest");
    if (lines.s === undefined) throw badDocument("a router entry has no flags");
    const { bandwidth, unmeasured } = weight(lines.w);
    return {
      nickname,
      rsaId: this.#bytes.keep(decodeFixedBase64(identity, 20)),
      addresses: [this.#kept({ family: 4, address, port }), ...extra],
      microdescriptor: digest,
      flags: this.#flags.get(lines.s),
      protocols: lines.pr === undefined ? NO_PROTOCOLS : this.#protocols.get(lines.pr),
      bandwidth,
      unmeasured,
    };
  }

  #kept({ family, address, port }: RelayAddress): RelayAddress {
    return { family, address: this.#bytes.keep(address), port };
  }

  /** The time is of no use: newer consensus methods write the same one for all. It must be one. */
  #checkPublished(date: string, time: string): void {
    const text = `${date} ${time}`;
    if (text !== this.#published) parseTime(date, time);
    this.#published = text;
  }

  #parseFlags(item: Item): ReadonlySet<RelayFlag> {
    const words = parseFlags(item);
    const unknown = words.some((word) => !this.#knownFlags.has(word));
    if (unknown) throw badDocument("a router entry has a flag that the consensus does not know");
    return new Set(words.filter((word) => FLAGS.has(word)) as RelayFlag[]);
  }
}

/** The flags of a "s" or "known-flags" line, which must be in order (dir-spec 3.4.1). */
export function parseFlags(item: Item): string[] {
  const flags = itemArguments(item, 0);
  if (flags.some((flag, i) => i > 0 && flag <= (flags[i - 1] as string))) {
    throw badDocument(`the flags of "${item.keyword}" are out of order`);
  }
  return flags;
}

/** What ends a router entry. */
const ENDS: ReadonlySet<string> = new Set([
  "r",
  "directory-footer",
  "directory-signature",
  "bandwidth-weights",
  "network-status-version",
  "dir-source",
]);

function orAddress(item: Item, held: number): RelayAddress {
  if (held === MAX_ADDRESSES) throw badDocument("a router entry has too many addresses");
  try {
    return parseSocketAddress(itemArguments(item, 1)[0] as string);
  } catch {
    throw badDocument("malformed OR address");
  }
}

function weight(item: Item | undefined): { bandwidth: number; unmeasured: boolean } {
  let bandwidth: number | undefined;
  let unmeasured = false;
  for (const word of item === undefined ? [] : itemArguments(item, 0)) {
    if (word.startsWith("Bandwidth=")) bandwidth = parseInteger(word.slice(10), 0, MAX_BANDWIDTH);
    else if (word === "Unmeasured=1") unmeasured = true;
  }
  if (item !== undefined && bandwidth === undefined) throw badDocument('a "w" line has no bandwidth');
  return { bandwidth: bandwidth ?? 0, unmeasured };
}
