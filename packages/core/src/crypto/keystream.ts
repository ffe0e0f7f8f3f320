// AES-CTR keystream (NIST SP 800-38A 6.5) that is XORed into buffers synchronously, for relay cells (tor-spec 0.3).
// WebCrypto produces it in bulk ahead of need, 1 GB/s against 60 MB/s for AES in JavaScript; while no block is ready the
// library computes what is wanted on the spot, so a cell never waits.

import { ctr } from "@noble/ciphers/aes.js";
import { TorError } from "../base/errors.ts";

/** 128 cells of 509 bytes: cell, AES-block and chunk borders coincide. */
const CHUNK = 128 * 509;
/** Chunks kept ahead of the position. */
const AHEAD = 2;
/** Short-lived circuits never use this many bytes, and so never pay for a chunk. */
const WARM_UP = 16 * 509;

const BLOCK = 16;
/** Bytes that are XORed in one go: more than a cell's. */
const SCRATCH = 1024;
/** What WebCrypto encrypts to give the bare keystream. Only ever read. */
const ZEROS = new Uint8Array(CHUNK);

export class AesCtrKeystream {
  readonly #key: Uint8Array;
  readonly #iv: Uint8Array;
  /** Bytes of keystream used so far. */
  #position = 0;
  /** Chunk number to its keystream, where it has arrived. */
  readonly #chunks = new Map<number, Uint8Array>();
  readonly #requested = new Set<number>();
  #inFlight = 0;
  readonly #scratch = new Uint8Array(SCRATCH);
  readonly #scratchWords = new Int32Array(this.#scratch.buffer);
  #cryptoKey: Promise<CryptoKey> | undefined;
  #destroyed = false;

  /** @param key 16 or 32 bytes, copied @param iv the first counter block, zero by default */
  constructor(key: Uint8Array, iv: Uint8Array = new Uint8Array(BLOCK)) {
    // Not slice(): on a Node Buffer that would share memory.
    this.#key = Uint8Array.from(key);
    this.#iv = Uint8Array.from(iv);
  }

  /** XORs the next keystream bytes into `buffer[from, to)`. */
  xor(buffer: Uint8Array, from = 0, to = buffer.length): void {
    if (this.#destroyed) throw new TorError("internal", "ALLIUM_E_INTERNAL", "the keystream is destroyed");
    while (from < to) {
      const number = Math.floor(this.#position / CHUNK);
      const offset = this.#position - number * CHUNK;
      const length = Math.min(to - from, CHUNK - offset);
      const chunk = this.#chunks.get(number);
      if (chunk === undefined) this.#xorNow(buffer, from, length);
      else this.#xorInto(buffer, from, chunk, offset, length);
      this.#position += length;
      from += length;
      if (offset + length === CHUNK) this.#forget(number);
    }
    if (this.#position >= WARM_UP) this.#prefetch();
  }

  /** Overwrites key and keystream. */
  destroy(): void {
    this.#destroyed = true;
    this.#key.fill(0);
    for (const chunk of this.#chunks.values()) chunk.fill(0);
    this.#scratch.fill(0);
    this.#chunks.clear();
    this.#cryptoKey = undefined;
  }

  #xorNow(buffer: Uint8Array, from: number, length: number): void {
    const skip = this.#position % BLOCK;
    const counter = this.#counterAt((this.#position - skip) / BLOCK);
    const stream = ctr(this.#key, counter).encrypt(new Uint8Array(skip + length));
    this.#xorInto(buffer, from, stream, skip, length);
  }

  #forget(number: number): void {
    this.#chunks.get(number)?.fill(0);
    this.#chunks.delete(number);
    this.#requested.delete(number);
  }

  #prefetch(): void {
    const current = Math.floor(this.#position / CHUNK);
    for (let number = current; number <= current + AHEAD; number++) {
      if (this.#requested.has(number)) continue;
      // Where cells are taken faster than chunks arrive, those already passed still hold memory.
      if (this.#inFlight > AHEAD) return;
      this.#requested.add(number);
      void this.#request(number);
    }
  }

  async #request(number: number): Promise<void> {
    this.#inFlight++;
    // Not awaited by anyone: where WebCrypto fails the synchronous way goes on serving.
    try {
      this.#cryptoKey ??= crypto.subtle.importKey("raw", this.#key, "AES-CTR", false, ["encrypt"]);
      const counter = this.#counterAt((number * CHUNK) / BLOCK);
      const key = await this.#cryptoKey;
      const stream = new Uint8Array(
        await crypto.subtle.encrypt({ name: "AES-CTR", counter, length: 128 }, key, ZEROS),
      );
      if (this.#destroyed || number < Math.floor(this.#position / CHUNK)) stream.fill(0);
      else this.#chunks.set(number, stream);
    } catch {
    } finally {
      this.#inFlight--;
    }
  }

  /** The counter block `blocks` after the first, as a 128-bit big-endian sum. */
  #counterAt(blocks: number): Uint8Array {
    const counter = this.#iv.slice();
    let carry = blocks;
    for (let i = BLOCK - 1; i >= 0 && carry > 0; i--) {
      const sum = (counter[i] as number) + (carry % 256);
      counter[i] = sum & 255;
      carry = Math.floor(carry / 256) + (sum >> 8);
    }
    return counter;
  }

  /** XORs `length` bytes of `stream` from `at` into `buffer` from `from`. */
  #xorInto(buffer: Uint8Array, from: number, stream: Uint8Array, at: number, length: number): void {
    for (const end = at + length; at < end; ) {
      // Cells and keystream are aligned alike only one time in four; copied to where it is, words can be used always
      // (175 ns a cell against 345 by bytes).
      const skew = (buffer.byteOffset + from) & 3;
      const piece = Math.min(end - at, SCRATCH - skew);
      this.#scratch.set(stream.subarray(at, at + piece), skew);
      this.#xorScratch(buffer, from, skew, piece);
      from += piece;
      at += piece;
    }
  }

  /** XORs scratch[skew, skew + length) into `buffer` from `from`, which is aligned as `skew` is. */
  #xorScratch(buffer: Uint8Array, from: number, skew: number, length: number): void {
    const scratch = this.#scratch;
    const words = this.#scratchWords;
    const end = from + length;
    let at = skew;
    for (; from < end && (at & 3) !== 0; from++, at++)
      buffer[from] = (buffer[from] as number) ^ (scratch[at] as number);
    const count = (end - from) >> 2;
    if (count > 0) {
      const target = new Int32Array(buffer.buffer, buffer.byteOffset + from, count);
      const first = at >> 2;
      for (let i = 0; i < count; i++) target[i] = (target[i] as number) ^ (words[first + i] as number);
      from += 4 * count;
      at += 4 * count;
    }
    for (; from < end; from++, at++) buffer[from] = (buffer[from] as number) ^ (scratch[at] as number);
  }
}
