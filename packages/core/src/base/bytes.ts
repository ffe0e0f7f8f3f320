// Byte reader and writer for network-order protocols. Every read is bounds-checked and throws a typed error.

import { protocolViolation, type TorError } from "./errors.ts";

/** What a Reader throws when the input ends too soon or is too long. */
export type ParseFailure = (message: string) => TorError;

const malformed: ParseFailure = (message) => protocolViolation("ALLIUM_E_MALFORMED", message);

/** Reads big-endian values from a byte array; slices it returns share memory with the input. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #fail: ParseFailure;
  #at = 0;

  constructor(bytes: Uint8Array, fail: ParseFailure = malformed) {
    this.#bytes = bytes;
    this.#fail = fail;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  get offset(): number {
    return this.#at;
  }

  /** The next `length` bytes, not copied. */
  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) {
      throw this.#fail(`input ends after ${this.remaining} bytes where ${length} are needed`);
    }
    const slice = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return slice;
  }

  u8(): number {
    return this.#uint(1);
  }

  u16(): number {
    return this.#uint(2);
  }

  u24(): number {
    return this.#uint(3);
  }

  u32(): number {
    return this.#uint(4);
  }

  /** A 64-bit unsigned integer. */
  u64(): bigint {
    const high = BigInt(this.u32());
    return (high << 32n) | BigInt(this.u32());
  }

  /** A vector that is preceded by its length in `lengthBytes` bytes. */
  vector(lengthBytes: 1 | 2 | 3): Uint8Array {
    return this.take(this.#uint(lengthBytes));
  }

  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  /** Fails unless every byte was read. */
  end(): void {
    if (this.remaining !== 0) throw this.#fail(`${this.remaining} unexpected bytes at the end`);
  }

  #uint(size: number): number {
    const bytes = this.take(size);
    let value = 0;
    for (const byte of bytes) value = value * 256 + byte;
    return value;
  }
}

/** Appends big-endian values to a buffer that grows. */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  bytes(data: Uint8Array): this {
    this.#reserve(data.length);
    this.#bytes.set(data, this.#length);
    this.#length += data.length;
    return this;
  }

  u8(value: number): this {
    return this.#uint(value, 1);
  }

  u16(value: number): this {
    return this.#uint(value, 2);
  }

  u24(value: number): this {
    return this.#uint(value, 3);
  }

  u32(value: number): this {
    return this.#uint(value, 4);
  }

  u64(value: bigint): this {
    return this.u32(Number((value >> 32n) & 0xffffffffn)).u32(Number(value & 0xffffffffn));
  }

  /** `data` preceded by its length in `lengthBytes` bytes. */
  vector(lengthBytes: 1 | 2 | 3, data: Uint8Array): this {
    return this.#uint(data.length, lengthBytes).bytes(data);
  }

  zeros(count: number): this {
    this.#reserve(count);
    this.#bytes.fill(0, this.#length, this.#length + count);
    this.#length += count;
    return this;
  }

  /** A copy of everything written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #uint(value: number, size: number): this {
    if (!Number.isInteger(value) || value < 0 || value >= 256 ** size) {
      throw new RangeError(`${value} does not fit ${size} bytes`);
    }
    this.#reserve(size);
    for (let i = size - 1; i >= 0; i--) {
      this.#bytes[this.#length + i] = value % 256;
      value = Math.floor(value / 256);
    }
    this.#length += size;
    return this;
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** One array that holds all of `parts` in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Whether two byte arrays are equal, in time that depends on their lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** Whether every byte is zero, in time that depends on the length only. */
export function allZero(bytes: Uint8Array): boolean {
  let bits = 0;
  for (const byte of bytes) bits |= byte;
  return bits === 0;
}
