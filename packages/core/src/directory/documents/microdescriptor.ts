// Microdescriptors (dir-spec 3.3; "family-ids": proposal 321; onion-key without a key: C tor 0.4.9).
// Not here: whether one was asked for and named by a consensus (directory/fetch-documents.ts).

import { toBase64Unpadded } from "../../base/encoding.ts";
import { Turn } from "../../base/turn.ts";
import { sha256, sha256Async } from "../../crypto/hash.ts";
import type { PortPolicy } from "../api.ts";
import { BytePool } from "./byte-pool.ts";
import { parsePortPolicy, rejectAll } from "./port-policy.ts";
import { badDocument, type Item, itemArguments, LineMemo, noArguments, Tokenizer } from "./tokenizer.ts";
import { decodeFixedBase64, required, setOnce } from "./values.ts";

/** A list of names that most members of a family have in common, turned into a set when somebody asks. */
export class NameList {
  readonly #text: string;
  #names: ReadonlySet<string> | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  get names(): ReadonlySet<string> {
    this.#names ??= new Set(this.#text.split(/[ \t]+/).filter((name) => name !== ""));
    return this.#names;
  }
}

const noNames = new NameList("");

export interface Microdescriptor {
  /** Curve25519 onion key, 32 bytes. */
  readonly ntorOnionKey: Uint8Array;
  /** 32 bytes; absent for relays without one. */
  readonly ed25519Id: Uint8Array | undefined;
  readonly exitPolicy: PortPolicy;
  readonly exitPolicyIpv6: PortPolicy;
  readonly family: NameList;
  readonly familyIds: NameList;
}

/** Shares what thousands of microdescriptors have in common: policies, family lists, room for keys. Owned by one parse. */
export class MicrodescriptorPool {
  readonly #policies = new Map<string, PortPolicy>();
  readonly #lists = new Map<string, NameList>();
  readonly #lines = new LineMemo(
    (line) => share(this.#lists, line.rest, (text) => new NameList(text)),
    (line) => line.edgeHash(),
  );
  readonly #keys = new BytePool();

  policy(text: string | undefined): PortPolicy {
    if (text === undefined) return rejectAll;
    return share(this.#policies, text, parsePortPolicy);
  }

  /** A key of 32 bytes from its base64. */
  key(text: string): Uint8Array {
    return this.#keys.keep(decodeFixedBase64(text, 32));
  }

  /** The list of a family line. Of 37 MB of them a network has 33 that were read before: not even a string is made of these. */
  list(line: Item): NameList {
    return this.#lines.get(line);
  }
}

function share<T>(pool: Map<string, T>, text: string, make: (text: string) => T): T {
  let value = pool.get(text);
  if (value === undefined) {
    value = make(text);
    pool.set(text, value);
  }
  return value;
}

/** The SHA-256 digest that a consensus names a microdescriptor by, in unpadded base64. */
export function microdescriptorDigest(bytes: Uint8Array): string {
  return toBase64Unpadded(sha256(bytes));
}

/**
 * Cuts concatenated microdescriptors apart, without parsing them: each begins at a line "onion-key". One at a time, so that
 * who takes them may give way between.
 * @throws TorError `protocol-violation`, `ALLIUM_E_BAD_DOCUMENT`, for bytes before the first, and where damage is met
 */
export function* splitMicrodescriptors(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  const tokens = new Tokenizer(bytes);
  let start = -1;
  for (let item = tokens.next(); item !== undefined; item = tokens.next()) {
    if (item.keyword === "onion-key") {
      if (start >= 0) yield bytes.subarray(start, item.start);
      start = item.start;
    } else if (start < 0) {
      throw badDocument("a microdescriptor does not begin with onion-key");
    }
  }
  if (start >= 0) yield bytes.subarray(start);
}

/** Digests made at a time: enough to hide WebCrypto's latency, which takes a sixth of our own code's time in a browser. */
const BATCH = 64;

/**
 * Hands each of concatenated microdescriptors over with its digest, and gives way to others between.
 * @throws TorError when they cannot be cut apart; those well before the damage have been handed over by then
 */
export async function eachMicrodescriptor(
  document: Uint8Array,
  take: (digest: string, bytes: Uint8Array) => void,
): Promise<void> {
  const turn = new Turn();
  for (const batch of batches(splitMicrodescriptors(document))) {
    const digests = await Promise.all(batch.map((part) => sha256Async(part)));
    for (const [i, part] of batch.entries()) take(toBase64Unpadded(digests[i] as Uint8Array), part);
    if (turn.isOver) await turn.giveWay();
  }
}

function* batches<T>(all: Iterable<T>): Generator<T[], void, undefined> {
  let batch: T[] = [];
  for (const one of all) {
    if (batch.push(one) < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Parses one microdescriptor. */
export function parseMicrodescriptor(bytes: Uint8Array, pool = new MicrodescriptorPool()): Microdescriptor {
  const tokens = new Tokenizer(bytes);
  const first = tokens.next();
  if (first?.keyword !== "onion-key") throw badDocument("a microdescriptor does not begin with onion-key");
  noArguments(first);
  if (first.object !== undefined && first.object.tag !== "RSA PUBLIC KEY")
    throw badDocument("not an onion key");
  const lines = new Map<string, string>();
  const lists = new Map<string, NameList>();
  let ed25519Id: Uint8Array | undefined;
  for (let item = tokens.next(); item !== undefined; item = tokens.next()) {
    if (item.keyword === "id") ed25519Id = parseId(item, ed25519Id, pool);
    else if (FAMILIES.has(item.keyword)) setOnce(lists, item, pool.list(item));
    else if (KNOWN.has(item.keyword)) setOnce(lines, item, item.rest);
    else if (item.keyword === "onion-key") throw badDocument('"onion-key" appears twice');
  }
  const [ntor] = required(lines, "ntor-onion-key").split(/[ \t]/, 1) as [string];
  return {
    ntorOnionKey: pool.key(ntor),
    ed25519Id,
    exitPolicy: pool.policy(lines.get("p")),
    exitPolicyIpv6: pool.policy(lines.get("p6")),
    family: lists.get("family") ?? noNames,
    familyIds: lists.get("family-ids") ?? noNames,
  };
}

// "a" is left out: since consensus method 28 the address is in the consensus (dir-spec 3.3).
const KNOWN: ReadonlySet<string> = new Set(["ntor-onion-key", "p", "p6"]);
const FAMILIES: ReadonlySet<string> = new Set(["family", "family-ids"]);

function parseId(
  item: Item,
  held: Uint8Array | undefined,
  pool: MicrodescriptorPool,
): Uint8Array | undefined {
  const [type, value] = itemArguments(item, 2) as [string, string];
  if (type !== "ed25519") return held;
  if (held !== undefined) throw badDocument("two Ed25519 identities");
  return pool.key(value);
}
