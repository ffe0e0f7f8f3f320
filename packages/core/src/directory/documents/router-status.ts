// Router entries of a microdescriptor consensus (dir-spec 3.4.1 and 3.9.2): r, a, m, s, v, pr, w.

import { parseIpv4, parseSocketAddress, type RelayAddress } from "../../base/address.ts";
import type { RelayFlag } from "../api.ts";
import { type Protocols, parseProtocols } from "./protocols.ts";
import { badDocument, type Item, itemArguments, type Tokenizer } from "./tokenizer.ts";
import { decodeFixedBase64, parseInteger } from "./values.ts";

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

/** The order in which authorities write an entry's lines. */
const ORDER: ReadonlyMap<string, number> = new Map(
  ["r", "a", "m", "s", "v", "pr", "w"].map((keyword, rank) => [keyword, rank]),
);

/** C tor's limits: a nickname has 1 to 19 letters and digits; a digest of 32 bytes has 43 characters. */
const NICKNAME = /^[A-Za-z0-9]{1,19}$/;
const DIGEST = /^[A-Za-z0-9+/]{43}$/;
/** One "a" line is what the specification has; a few more are borne. */
const MAX_ADDRESSES = 8;
const MAX_BANDWIDTH = 2 ** 32 - 1;

/** Reads router entries; flag and protocol lines, of which there are few different ones, are parsed once each. */
export class RouterStatusReader {
  readonly #knownFlags: ReadonlySet<string>;
  readonly #flags = new Map<string, ReadonlySet<RelayFlag>>();
  readonly #protocols = new Map<string, Protocols>();

  constructor(knownFlags: ReadonlySet<string>) {
    this.#knownFlags = knownFlags;
  }

  /** The entry at the tokenizer's place, which is at its "r" line. */
  read(tokens: Tokenizer): RouterStatus {
    const first = tokens.next() as Item;
    const extra: RelayAddress[] = [];
    const lines = new Map<string, Item>();
    let rank = 0;
    for (let item = tokens.peek(); item !== undefined && !ENDS.has(item.keyword); item = tokens.peek()) {
      tokens.next();
      const itemRank = ORDER.get(item.keyword);
      if (itemRank === undefined) continue;
      if (itemRank < rank || (itemRank === rank && item.keyword !== "a")) {
        throw badDocument(`"${item.keyword}" is out of order in a router entry`);
      }
      rank = itemRank;
      if (item.keyword === "a") extra.push(orAddress(item, extra.length));
      else lines.set(item.keyword, item);
    }
    return this.#entry(first, extra, lines);
  }

  #entry(first: Item, extra: readonly RelayAddress[], lines: ReadonlyMap<string, Item>): RouterStatus {
    const [nickname, identity, , , ip, orPort] = itemArguments(first, 7) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const address = parseIpv4(ip);
    if (!NICKNAME.test(nickname) || address === undefined) throw badDocument('malformed "r" line');
    const port = parseInteger(orPort, 1, 65535);
    const digest = lines.get("m")?.rest.split(/[ \t]/, 1)[0] ?? "";
    if (!DIGEST.test(digest)) throw badDocument("a router entry has no microdescriptor digest");
    return {
      nickname,
      rsaId: decodeFixedBase64(identity, 20),
      addresses: [{ family: 4, address, port }, ...extra],
      microdescriptor: digest,
      flags: this.#flagSet(lines.get("s")),
      protocols: this.#protocolSet(lines.get("pr")?.rest ?? ""),
      ...bandwidth(lines.get("w")),
    };
  }

  #flagSet(item: Item | undefined): ReadonlySet<RelayFlag> {
    if (item === undefined) throw badDocument("a router entry has no flags");
    let flags = this.#flags.get(item.rest);
    if (flags === undefined) {
      const words = itemArguments(item, 0);
      const unknown = words.some((word) => !this.#knownFlags.has(word));
      if (unknown) throw badDocument("a router entry has a flag that the consensus does not know");
      flags = new Set(words.filter((word) => FLAGS.has(word)) as RelayFlag[]);
      this.#flags.set(item.rest, flags);
    }
    return flags;
  }

  #protocolSet(text: string): Protocols {
    let protocols = this.#protocols.get(text);
    if (protocols === undefined) {
      protocols = parseProtocols(text);
      this.#protocols.set(text, protocols);
    }
    return protocols;
  }
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

function bandwidth(item: Item | undefined): { bandwidth: number; unmeasured: boolean } {
  let value: number | undefined;
  let unmeasured = false;
  for (const word of item === undefined ? [] : itemArguments(item, 0)) {
    if (word.startsWith("Bandwidth=")) value = parseInteger(word.slice(10), 0, MAX_BANDWIDTH);
    else if (word === "Unmeasured=1") unmeasured = true;
  }
  if (item !== undefined && value === undefined) throw badDocument('a "w" line has no bandwidth');
  return { bandwidth: value ?? 0, unmeasured };
}
