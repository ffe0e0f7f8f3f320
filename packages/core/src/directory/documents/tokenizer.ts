// Tor's document meta-format (dir-spec 1.2): keyword lines, each with an optional PEM-like object, over bytes.
// One pass, no look-back: every byte is looked at a fixed number of times. Nothing is decoded that nobody asks for.

import { fromBase64, fromLatin1 } from "../../base/encoding.ts";
import { protocolViolation, type TorError } from "../../base/errors.ts";

const NL = 0x0a;
const TAB = 0x09;
const SP = 0x20;
const DASH = 0x2d;

/** Bytes of a line and of an object's base64, as in C tor (parsecommon.c). The longest line, a family's, has 16 kB. */
const MAX_LINE = 128 * 1024;
const MAX_OBJECT = 128 * 1024;
/** Arguments of an item, as in C tor. The most of the public network, in "params", are 45. */
const MAX_ARGUMENTS = 512;

/** Bytes at each end of a line that `edgeHash` looks at: more than one fingerprint of a family. */
const EDGE = 64;

/** What every parser of a directory document throws. */
export function badDocument(message: string): TorError {
  return protocolViolation("ALLIUM_E_BAD_DOCUMENT", message);
}

/** A keyword line and the object below it. Offsets are into the document's bytes. */
export class Item {
  readonly keyword: string;
  /** Offset of the keyword's first byte. */
  readonly start: number;
  /** Offset after the keyword line's newline. */
  readonly lineEnd: number;
  /** The object's tag ("RSA PUBLIC KEY") and where its base64 lines are. */
  readonly object: ItemObject | undefined;
  readonly #document: Uint8Array;

  constructor(document: Uint8Array, keyword: string, start: number, lineEnd: number, object?: ItemObject) {
    this.#document = document;
    this.keyword = keyword;
    this.start = start;
    this.lineEnd = lineEnd;
    this.object = object;
  }

  /**
   * The rest of the line without the whitespace before it, as ISO 8859-1 (only comments are ever not ASCII).
   * Decoded when asked for: most lines of a consensus and most bytes of a microdescriptor never are.
   */
  get rest(): string {
    return fromLatin1(this.#document.subarray(this.#restStart(), this.lineEnd - 1));
  }

  /** A hash of the line. */
  lineHash(): number {
    let hash = 0;
    for (let i = this.start; i < this.lineEnd; i++) {
      hash = (Math.imul(hash, 31) + (this.#document[i] as number)) | 0;
    }
    return hash;
  }

  /** A hash of a long line's length and of both its ends, for lines that seldom differ in their middles alone. */
  edgeHash(): number {
    const length = this.lineEnd - this.start;
    let hash = length;
    for (let i = 0; i < Math.min(EDGE, length); i++) {
      hash = (Math.imul(hash, 31) + (this.#document[this.start + i] as number)) | 0;
      hash = (Math.imul(hash, 31) + (this.#document[this.lineEnd - 1 - i] as number)) | 0;
    }
    return hash;
  }

  /** Whether `other` is the same line, byte by byte. */
  sameLine(other: Item): boolean {
    const length = this.lineEnd - this.start;
    if (other.lineEnd - other.start !== length) return false;
    for (let i = 0; i < length; i++) {
      if (this.#document[this.start + i] !== other.#document[other.start + i]) return false;
    }
    return true;
  }

  #restStart(): number {
    let from = this.start + this.keyword.length;
    while (this.#document[from] === SP || this.#document[from] === TAB) from++;
    return from;
  }
}

/** What equal lines give, worked out once: a consensus has 10,000 "pr" lines, and six different ones. */
export class LineMemo<T> {
  readonly #parse: (item: Item) => T;
  readonly #hash: (item: Item) => number;
  readonly #known = new Map<number, { readonly item: Item; readonly value: T }>();

  constructor(parse: (item: Item) => T, hash = (item: Item) => item.lineHash()) {
    this.#parse = parse;
    this.#hash = hash;
  }

  get(item: Item): T {
    const hash = this.#hash(item);
    const known = this.#known.get(hash);
    if (known?.item.sameLine(item)) return known.value;
    const value = this.#parse(item);
    // Where two lines have one hash, the second is parsed each time it comes.
    if (known === undefined) this.#known.set(hash, { item, value });
    return value;
  }
}

interface ItemObject {
  readonly tag: string;
  readonly from: number;
  readonly to: number;
}

const KEYWORD = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
const BEGIN_LINE = /^-----BEGIN ([A-Za-z0-9][A-Za-z0-9-]*(?: [A-Za-z0-9][A-Za-z0-9-]*)*)-----$/;

/** Reads the items of a document in order. */
export class Tokenizer {
  readonly bytes: Uint8Array;
  #at = 0;
  #peeked: Item | undefined;
  /** Keywords already seen to be well formed, by a hash of their bytes: a document has few, and 60,000 lines. */
  readonly #keywords = new Map<number, string>();

  constructor(bytes: Uint8Array) {
    // C tor refuses these too: a NUL would end a document early for some readers and not for others.
    if (bytes.includes(0)) throw badDocument("the document holds a NUL byte");
    this.bytes = bytes;
  }

  /** The next item, or undefined at the end. */
  next(): Item | undefined {
    const item = this.peek();
    this.#peeked = undefined;
    return item;
  }

  /** Where the last item that was read ends, its object included. */
  get offset(): number {
    return this.#peeked?.start ?? this.#at;
  }

  /** The next item without passing it. */
  peek(): Item | undefined {
    this.#peeked ??= this.#read();
    return this.#peeked;
  }

  /** The bytes of an item's object. */
  object(item: Item, ...tags: readonly string[]): Uint8Array {
    if (item.object === undefined) throw badDocument(`"${item.keyword}" has no object`);
    const { tag, from, to } = item.object;
    if (!tags.includes(tag)) throw badDocument(`"${item.keyword}" has an object of another type`);
    return decodeBase64(fromLatin1(this.bytes.subarray(from, to)).replaceAll("\n", ""));
  }

  #read(): Item | undefined {
    while (this.bytes[this.#at] === NL) this.#at++;
    const start = this.#at;
    if (start === this.bytes.length) return undefined;
    const lineEnd = this.#passLine();
    const keyword = this.#keyword(start, lineEnd - 1);
    const object = this.bytes[lineEnd] === DASH ? this.#object() : undefined;
    return new Item(this.bytes, keyword, start, lineEnd, object);
  }

  /** Passes the next newline. @returns the offset after it */
  #passLine(): number {
    const end = this.bytes.indexOf(NL, this.#at);
    if (end < 0) throw badDocument("the document ends inside a line");
    if (end - this.#at > MAX_LINE) throw badDocument("a line is too long");
    this.#at = end + 1;
    return this.#at;
  }

  /** The text up to the next newline, which is passed. */
  #line(): string {
    const from = this.#at;
    return fromLatin1(this.bytes.subarray(from, this.#passLine() - 1));
  }

  #keyword(start: number, lineEnd: number): string {
    let end = start;
    let hash = 0;
    for (; end < lineEnd; end++) {
      const byte = this.bytes[end] as number;
      if (byte === SP || byte === TAB) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    const known = this.#keywords.get(hash);
    if (known !== undefined && this.#spells(known, start, end)) return known;
    const keyword = fromLatin1(this.bytes.subarray(start, end));
    if (!KEYWORD.test(keyword)) throw badDocument("a line does not begin with a keyword");
    // An unbounded map would let a hostile document keep its every line.
    if (this.#keywords.size < 256) this.#keywords.set(hash, keyword);
    return keyword;
  }

  #spells(text: string, start: number, end: number): boolean {
    if (text.length !== end - start) return false;
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== this.bytes[start + i]) return false;
    return true;
  }

  #object(): ItemObject {
    const tag = BEGIN_LINE.exec(this.#line())?.[1];
    if (tag === undefined) throw badDocument("a malformed BEGIN line");
    const from = this.#at;
    while (this.bytes[this.#at] !== DASH) {
      this.#passLine();
      if (this.#at - from > MAX_OBJECT) throw badDocument("an object is too long");
    }
    const to = this.#at;
    if (this.#line() !== `-----END ${tag}-----`) throw badDocument("an object's END line does not match");
    return { tag, from, to };
  }
}

/** Strict base64, padded or not, with this room's error. */
function decodeBase64(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch {
    throw badDocument("malformed base64");
  }
}

/** The arguments of an item: at least `least`, further ones allowed for later versions. */
export function itemArguments(item: Item, least: number): string[] {
  const { rest } = item;
  // Measured: a pattern takes five times as long, and authorities write one space.
  const simple = !rest.includes("  ") && !rest.includes("\t") && !rest.endsWith(" ");
  const words = rest === "" ? [] : rest.split(simple ? " " : /[ \t]+/, MAX_ARGUMENTS + 2);
  if (words.at(-1) === "") words.pop();
  if (words.length > MAX_ARGUMENTS) throw badDocument(`"${item.keyword}" has too many arguments`);
  if (words.length < least) throw badDocument(`"${item.keyword}" has too few arguments`);
  return words;
}

/** Fails when a line that takes no arguments has some (dir-spec's "no extra arguments"). */
export function noArguments(item: Item): void {
  if (item.rest !== "") throw badDocument(`"${item.keyword}" takes no arguments`);
}
