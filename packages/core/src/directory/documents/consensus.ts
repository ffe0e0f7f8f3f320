// The microdescriptor consensus (dir-spec 3.4.1, 3.9.2): preamble, authorities, router entries, footer, signatures.
// What this file returns is well formed and nothing more: signatures.ts says whether to believe it.

import { parseIpv4 } from "../../base/address.ts";
import { fromLatin1 } from "../../base/encoding.ts";
import type { TorError } from "../../base/errors.ts";
import { giveWay } from "../../base/turn.ts";
import { sha256 } from "../../crypto/hash.ts";
import { type Protocols, parseProtocols } from "./protocols.ts";
import { parseFlags, type RouterStatus, RouterStatusReader } from "./router-status.ts";
import { badDocument, type Item, itemArguments, noArguments, Tokenizer } from "./tokenizer.ts";
import { itemTime, parseFingerprint, parseInt32Map, parseInteger, required, setOnce } from "./values.ts";

export interface ConsensusSignature {
  /** The authority's v3ident, 40 upper-case hex digits. */
  readonly identity: string;
  /** SHA-1 of the signing key, 40 upper-case hex digits. */
  readonly signingKeyId: string;
  readonly signature: Uint8Array;
}

export interface Consensus {
  /** Milliseconds since the epoch. */
  readonly validAfter: number;
  readonly freshUntil: number;
  readonly validUntil: number;
  readonly params: ReadonlyMap<string, number>;
  readonly bandwidthWeights: ReadonlyMap<string, number>;
  readonly requiredClientProtocols: Protocols;
  readonly recommendedClientProtocols: Protocols;
  /** In ascending order of RSA identity, no two alike. */
  readonly routers: readonly RouterStatus[];
  /** SHA-256 of the signed part. */
  readonly digest: Uint8Array;
  /** Only those made over SHA-256: SHA-1 is not believed for this flavour. */
  readonly signatures: readonly ConsensusSignature[];
}

/** The public network has nine authorities; more signatures than this are there to waste our time. */
const MAX_SIGNATURES = 64;
const MAX_AUTHORITIES = 64;
/** Ten times the public network of 2026. */
const MAX_ROUTERS = 100_000;

/** Lines of the preamble, of an authority's entry, of the footer: the longest of 2026 has 20. */
const MAX_LINES = 1000;
/** Bytes that are read in one go: some 3 ms in Node, four times that on a phone. */
const SLICE = 128 * 1024;

const PROTOCOL_LISTS = [
  "recommended-client-protocols",
  "recommended-relay-protocols",
  "required-client-protocols",
  "required-relay-protocols",
] as const;

/** What may stand in a preamble at most once, whether it is read here or not (dir-spec 3.4.1). */
const PREAMBLE: ReadonlySet<string> = new Set([
  "vote-status",
  "consensus-method",
  "valid-after",
  "fresh-until",
  "valid-until",
  "voting-delay",
  "client-versions",
  "server-versions",
  "known-flags",
  ...PROTOCOL_LISTS,
  "params",
  "shared-rand-previous-value",
  "shared-rand-current-value",
]);

/** Parses a whole microdescriptor consensus. Gives way to others every few milliseconds. */
export async function parseConsensus(bytes: Uint8Array): Promise<Consensus> {
  const tokens = new Tokenizer(bytes);
  const preamble = readPreamble(tokens);
  skipAuthorities(tokens);
  const flags = new Set(parseFlags(required(preamble, "known-flags")));
  const routers = await readRouters(tokens, new RouterStatusReader(flags));
  const bandwidthWeights = readFooter(tokens);
  const { signedEnd, signatures } = readSignatures(tokens);
  const params = preamble.get("params");
  return {
    ...lifetime(preamble),
    params: params === undefined ? new Map() : parseInt32Map(params),
    bandwidthWeights,
    ...protocols(preamble),
    routers,
    digest: await digestOf(bytes.subarray(0, signedEnd)),
    signatures,
  };
}

/** All four lists must be well formed; those for relays mean nothing to us. */
function protocols(preamble: ReadonlyMap<string, Item>) {
  const [recommendedClientProtocols, , requiredClientProtocols] = PROTOCOL_LISTS.map((keyword) =>
    parseProtocols(preamble.get(keyword)?.rest ?? ""),
  ) as [Protocols, Protocols, Protocols, Protocols];
  return { recommendedClientProtocols, requiredClientProtocols };
}

/** WebCrypto is eight times as fast as ours over 3.5 MB; a small document is not worth the turn of the event loop. */
async function digestOf(signed: Uint8Array): Promise<Uint8Array> {
  if (signed.length < SLICE) return sha256(signed);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", signed));
}

function readPreamble(tokens: Tokenizer): Map<string, Item> {
  const first = tokens.next();
  if (first?.keyword !== "network-status-version" || first.start !== 0) {
    throw badDocument("a consensus does not begin with its version");
  }
  const [version, flavour] = itemArguments(first, 1);
  if (version !== "3" || flavour !== "microdesc") {
    throw badDocument("not a microdescriptor consensus of version 3");
  }
  const items = new Map<string, Item>();
  for (const item of section(tokens)) {
    if (PREAMBLE.has(item.keyword)) setOnce(items, item, item);
    else if (isMisplaced(item)) throw misplaced(item, "in the preamble");
  }
  if (itemArguments(required(items, "vote-status"), 1)[0] !== "consensus")
    throw badDocument("not a consensus");
  parseInteger(itemArguments(required(items, "consensus-method"), 1)[0] as string, 1, 2 ** 31 - 1);
  for (const delay of itemArguments(required(items, "voting-delay"), 2).slice(0, 2)) {
    parseInteger(delay, 0, 2 ** 31 - 1);
  }
  return items;
}

/** Keywords that begin a section after the preamble. */
const SECTIONS: ReadonlySet<string> = new Set([
  "dir-source",
  "r",
  "directory-footer",
  "bandwidth-weights",
  "directory-signature",
]);

/** The items up to the next section. */
function* section(tokens: Tokenizer): Generator<Item> {
  let count = 0;
  for (let item = tokens.peek(); item !== undefined && !SECTIONS.has(item.keyword); item = tokens.peek()) {
    if (++count > MAX_LINES) throw badDocument("a section of a consensus has too many lines");
    tokens.next();
    yield item;
  }
}

function lifetime(preamble: ReadonlyMap<string, Item>) {
  const validAfter = itemTime(required(preamble, "valid-after"));
  const freshUntil = itemTime(required(preamble, "fresh-until"));
  const validUntil = itemTime(required(preamble, "valid-until"));
  if (validAfter >= freshUntil || freshUntil >= validUntil) {
    throw badDocument("a consensus's times are not in order");
  }
  return { validAfter, freshUntil, validUntil };
}

/** The authorities' section is checked for its form only: whom to believe is configured, not read here. */
function skipAuthorities(tokens: Tokenizer): void {
  let previous = "";
  for (let count = 0; tokens.peek()?.keyword === "dir-source"; count++) {
    if (count === MAX_AUTHORITIES) throw badDocument("a consensus names too many authorities");
    const { identity, legacy } = parseSource(tokens.next() as Item);
    if (identity <= previous) throw badDocument("the authorities of a consensus are not in order");
    previous = identity;
    const items = new Map<string, Item>();
    for (const item of section(tokens)) {
      if (AUTHORITY.has(item.keyword)) setOnce(items, item, item);
      else if (isMisplaced(item)) throw misplaced(item, "among the authorities");
    }
    // A key of former times stands there with its "dir-source" line alone.
    if (legacy && items.size === 0) continue;
    required(items, "contact");
    parseFingerprint(itemArguments(required(items, "vote-digest"), 1)[0] as string);
  }
}

const AUTHORITY: ReadonlySet<string> = new Set(["contact", "vote-digest"]);

/** The authority's v3ident, and whether this is an old one that it keeps for older clients. */
function parseSource(item: Item): { identity: string; legacy: boolean } {
  const [nickname, identity, , ip, dirPort, orPort] = itemArguments(item, 6) as string[];
  if (parseIpv4(ip as string) === undefined) throw badDocument("an authority's address is malformed");
  parseInteger(dirPort as string, 0, 65535);
  parseInteger(orPort as string, 0, 65535);
  return {
    identity: parseFingerprint(identity as string),
    legacy: (nickname as string).endsWith("-legacy"),
  };
}

async function readRouters(tokens: Tokenizer, reader: RouterStatusReader): Promise<RouterStatus[]> {
  const routers: RouterStatus[] = [];
  let previous: Uint8Array | undefined;
  let pause = tokens.offset + SLICE;
  while (tokens.peek()?.keyword === "r") {
    if (routers.length === MAX_ROUTERS) throw badDocument("a consensus lists too many relays");
    const router = reader.read(tokens);
    if (previous !== undefined && !isBefore(previous, router.rsaId)) {
      throw badDocument("the relays of a consensus are not in order");
    }
    previous = router.rsaId;
    routers.push(router);
    if (tokens.offset < pause) continue;
    await giveWay();
    pause = tokens.offset + SLICE;
  }
  return routers;
}

/** Whether `a` is smaller than `b`, which is as long. */
function isBefore(a: Uint8Array, b: Uint8Array): boolean {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return (a[at] ?? 0) < (b[at] ?? 0);
}

function readFooter(tokens: Tokenizer): ReadonlyMap<string, number> {
  const footer = tokens.next();
  if (footer?.keyword !== "directory-footer") throw badDocument('a consensus has no "directory-footer"');
  noArguments(footer);
  let weights: ReadonlyMap<string, number> | undefined;
  let count = 0;
  for (let item = tokens.peek(); item !== undefined; item = tokens.peek()) {
    if (item.keyword === "directory-signature") break;
    tokens.next();
    if (++count > MAX_LINES) throw badDocument("the footer of a consensus has too many lines");
    if (item.keyword !== "bandwidth-weights") {
      if (isMisplaced(item)) throw misplaced(item, "in the footer");
    } else if (weights === undefined) weights = parseInt32Map(item);
    else throw badDocument('"bandwidth-weights" appears twice');
  }
  return weights ?? new Map();
}

function misplaced(item: Item, where: string): TorError {
  return badDocument(`"${item.keyword}" stands ${where}`);
}

function isMisplaced(item: Item): boolean {
  const { keyword } = item;
  return (
    SECTIONS.has(keyword) ||
    PREAMBLE.has(keyword) ||
    AUTHORITY.has(keyword) ||
    keyword === "network-status-version"
  );
}

/** Bytes of a signature, as in C tor: of a key of 1024 to 4096 bits. */
const MIN_SIGNATURE = 128;
const MAX_SIGNATURE = 512;

const SIGNATURE_KEYWORD = "directory-signature ";

function readSignatures(tokens: Tokenizer): { signedEnd: number; signatures: ConsensusSignature[] } {
  const first = tokens.peek();
  if (first === undefined) throw badDocument("a consensus has no signatures");
  const signedEnd = first.start + SIGNATURE_KEYWORD.length;
  // The digest goes through the space, so that all authorities sign the same; a tab there would be something else.
  if (fromLatin1(tokens.bytes.subarray(first.start, signedEnd)) !== SIGNATURE_KEYWORD) {
    throw badDocument("a consensus's first signature line is malformed");
  }
  const signatures: ConsensusSignature[] = [];
  let count = 0;
  for (let item = tokens.next(); item !== undefined; item = tokens.next()) {
    // Nothing down here is signed, so nothing else may stand here.
    if (item.keyword !== "directory-signature") throw misplaced(item, "after the signatures");
    if (++count > MAX_SIGNATURES) throw badDocument("a consensus has too many signatures");
    const signature = readSignature(tokens, item);
    if (signature !== undefined) signatures.push(signature);
  }
  return { signedEnd, signatures };
}

/** A signature over SHA-256, or undefined for one of another algorithm (two arguments mean SHA-1). */
function readSignature(tokens: Tokenizer, item: Item): ConsensusSignature | undefined {
  const words = itemArguments(item, 2);
  const signature = tokens.object(item, "SIGNATURE");
  const [algorithm, identity, key] = words.length === 2 ? ["sha1", ...words] : words;
  if (algorithm !== "sha256") return undefined;
  if (signature.length < MIN_SIGNATURE || signature.length > MAX_SIGNATURE) {
    throw badDocument("a consensus's signature is no key's");
  }
  return {
    identity: parseFingerprint(identity as string),
    signingKeyId: parseFingerprint(key as string),
    signature,
  };
}
