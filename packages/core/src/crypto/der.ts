// A strict DER reader (X.690 8 to 10): definite, minimal lengths, minimal integers, nothing left over.

import { protocolViolation, type TorError } from "../base/errors.ts";

/** Universal tags that Tor's documents and X.509 certificates use. */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export interface DerElement {
  readonly tag: number;
  /** The contents, without tag and length. */
  readonly contents: Uint8Array;
  /** Tag, length and contents as they stand. */
  readonly raw: Uint8Array;
}

export function derError(message: string): TorError {
  return protocolViolation("ALLIUM_E_DER", `malformed DER: ${message}`);
}

/** Reads the elements of one level, one after the other. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The tag of the next element without reading it; undefined at the end. */
  peekTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** The next element; with `tag`, it must have that one. */
  read(tag?: number): DerElement {
    const start = this.#at;
    const found = this.#byte();
    if ((found & 0x1f) === 0x1f) throw derError("multi-byte tag");
    if (tag !== undefined && found !== tag) throw derError(`tag ${found} where ${tag} is expected`);
    const length = this.#length();
    if (length > this.#bytes.length - this.#at) throw derError("an element is longer than its surroundings");
    const contents = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return { tag: found, contents, raw: this.#bytes.subarray(start, this.#at) };
  }

  /** The next element when it has this tag, otherwise undefined. */
  readOptional(tag: number): DerElement | undefined {
    return this.peekTag() === tag ? this.read(tag) : undefined;
  }

  /** A reader of the next element's contents, a SEQUENCE unless told otherwise. */
  enter(tag: number = DER.sequence): DerReader {
    return new DerReader(this.read(tag).contents);
  }

  /** A non-negative INTEGER. */
  unsigned(): bigint {
    const { contents } = this.read(DER.integer);
    const [first, second] = contents;
    if (first === undefined) throw derError("empty INTEGER");
    if (first >= 0x80) throw derError("negative INTEGER");
    if (first === 0 && contents.length > 1 && (second as number) < 0x80)
      throw derError("INTEGER with a needless zero");
    return bytesToBigint(contents);
  }

  /** An OBJECT IDENTIFIER as dotted decimals. */
  oid(): string {
    return decodeOid(this.read(DER.oid).contents);
  }

  /** The bytes of a BIT STRING without unused bits. */
  bitString(): Uint8Array {
    const { contents } = this.read(DER.bitString);
    if (contents[0] !== 0) throw derError("BIT STRING with unused bits");
    return contents.subarray(1);
  }

  /** Fails unless everything was read. */
  end(): void {
    if (!this.atEnd) throw derError("unexpected bytes after the last element");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw derError("input ends early");
    this.#at++;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw derError("indefinite length, or one of more than four bytes");
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) throw derError("length not in its shortest form");
    return length;
  }
}

function decodeOid(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > 64 || ((bytes.at(-1) as number) & 0x80) !== 0)
    throw derError("malformed OID");
  const arcs: number[] = [];
  let value = 0;
  for (const byte of bytes) {
    if (value === 0 && byte === 0x80) throw derError("OID arc with a needless zero");
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw derError("OID arc too large");
    if (byte >= 0x80) continue;
    arcs.push(value);
    value = 0;
  }
  const first = arcs[0] as number;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - 40 * top, ...arcs.slice(1)].join(".");
}

/** Big-endian bytes as a bigint. */
export function bytesToBigint(bytes: Uint8Array): bigint {
  let hex = "0x0";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return BigInt(hex);
}

/** A bigint as `length` big-endian bytes. */
export function bigintToBytes(value: bigint, length: number): Uint8Array {
  const hex = value.toString(16).padStart(2 * length, "0");
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
