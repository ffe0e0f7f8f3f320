// The microdescriptor consensus (dir-spec 3.4.1, 3.9.2): preamble, authorities, router entries, footer, signatures.
// What this file returns is well formed and nothing more: signatures.ts says whether to believe it.

import { fromLatin1 } from "../../base/encoding.ts";
import { sha256 } from "../../crypto/hash.ts";
import { type Protocols, parseProtocols } from "./protocols.ts";
import { type RouterStatus, RouterStatusReader } from "./router-status.ts";
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

const PREAMBLE: ReadonlySet<string> = new Set([
  "vote-status",
  "consensus-method",
  "valid-after",
  "fresh-until",
  "valid-until",
  "voting-delay",
  "known-flags",
  "params",
  "required-client-protocols",
]);

/** Parses a whole microdescriptor consensus. */
export function parseConsensus(bytes: Uint8Array): Consensus {
  const tokens = new Tokenizer(bytes);
  const preamble = readPreamble(tokens);
  skipAuthorities(tokens);
  const flags = new Set(itemArguments(required(preamble, "known-flags"), 0));
  const routers = readRouters(tokens, new RouterStatusReader(flags));
  const bandwidthWeights = readFooter(tokens);
  const { digest, signatures } = readSignatures(tokens);
  const params = preamble.get("params");
  return {
    ...lifetime(preamble),
    params: params === undefined ? new Map() : parseInt32Map(params),
    bandwidthWeights,
    requiredClientProtocols: parseProtocols(preamble.get("required-client-protocols")?.rest ?? ""),
    routers,
    digest,
    signatures,
  };
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
  for (let item = tokens.peek(); item !== undefined && !SECTIONS.has(item.keyword); item = tokens.peek()) {
    tokens.next();
    if (item.keyword === first.keyword) throw badDocument("a second consensus begins inside the first");
    if (PREAMBLE.has(item.keyword)) setOnce(items, item, item);
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
    const source = tokens.next() as Item;
    const identity = parseFingerprint(itemArguments(source, 6)[1] as string);
    if (identity <= previous) throw badDocument("the authorities of a consensus are not in order");
    previous = identity;
    const seen = new Map<string, true>();
    for (let item = tokens.peek(); item !== undefined && !SECTIONS.has(item.keyword); item = tokens.peek()) {
      tokens.next();
      if (item.keyword === "contact" || item.keyword === "vote-digest") setOnce(seen, item, true);
    }
  }
}

function readRouters(tokens: Tokenizer, reader: RouterStatusReader): RouterStatus[] {
  const routers: RouterStatus[] = [];
  let previous = "";
  while (tokens.peek()?.keyword === "r") {
    if (routers.length === MAX_ROUTERS) throw badDocument("a consensus lists too many relays");
    const router = reader.read(tokens);
    const id = fromLatin1(router.rsaId);
    if (id <= previous && routers.length > 0) throw badDocument("the relays of a consensus are not in order");
    previous = id;
    routers.push(router);
  }
  return routers;
}

function readFooter(tokens: Tokenizer): ReadonlyMap<string, number> {
  const footer = tokens.next();
  if (footer?.keyword !== "directory-footer") throw badDocument('a consensus has no "directory-footer"');
  noArguments(footer);
  const items = new Map<string, Item>();
  for (let item = tokens.peek(); item !== undefined; item = tokens.peek()) {
    if (item.keyword === "directory-signature") break;
    tokens.next();
    if (item.keyword === "bandwidth-weights") setOnce(items, item, item);
    else if (isMisplaced(item)) throw badDocument(`"${item.keyword}" stands in the footer`);
  }
  const weights = items.get("bandwidth-weights");
  return weights === undefined ? new Map() : parseInt32Map(weights);
}

function isMisplaced(item: Item): boolean {
  return (
    SECTIONS.has(item.keyword) || PREAMBLE.has(item.keyword) || item.keyword === "network-status-version"
  );
}

const SIGNATURE_KEYWORD = "directory-signature ";

function readSignatures(tokens: Tokenizer): { digest: Uint8Array; signatures: ConsensusSignature[] } {
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
    if (item.keyword !== "directory-signature") {
      // Nothing down here is signed, so nothing that means something may stand here.
      if (isMisplaced(item)) throw badDocument(`"${item.keyword}" stands after the signatures`);
      continue;
    }
    if (++count > MAX_SIGNATURES) throw badDocument("a consensus has too many signatures");
    const signature = readSignature(tokens, item);
    if (signature !== undefined) signatures.push(signature);
  }
  return { digest: sha256(tokens.bytes.subarray(0, signedEnd)), signatures };
}

/** A signature over SHA-256, or undefined for one of another algorithm (two arguments mean SHA-1). */
function readSignature(tokens: Tokenizer, item: Item): ConsensusSignature | undefined {
  const words = itemArguments(item, 2);
  const signature = tokens.object(item, "SIGNATURE");
  const [algorithm, identity, key] = words.length === 2 ? ["sha1", ...words] : words;
  if (algorithm !== "sha256") return undefined;
  return {
    identity: parseFingerprint(identity as string),
    signingKeyId: parseFingerprint(key as string),
    signature,
  };
}
