// What the tests of keystreams share: whole streams out of pieces, other implementations of AES-CTR to compare with, and a
// look at what is asked of WebCrypto.

import { createCipheriv } from "node:crypto";
import { vi } from "vitest";
import { WordBytes } from "../../src/base/word-bytes.ts";
import type { Keystream } from "../../src/crypto/keystream.ts";

/** 128 cells: what is asked of WebCrypto at a time, and four times that for streams that have carried sixteen of it. */
export const SEGMENT = 65_152;
export const BULK_SEGMENT = 260_608;
/** The most bytes of one `xor` in these tests. */
export const LONGEST = 100_000;

export const ZERO_COUNTER = new Uint8Array(16);

/** AES-CTR by OpenSSL. */
export function byNode(key: Uint8Array, counter: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv(`aes-${key.length * 8}-ctr`, key, counter).update(data));
}

/** AES-CTR by WebCrypto, in one call. */
export async function byWebCrypto(
  key: Uint8Array,
  counter: Uint8Array,
  data: Uint8Array,
): Promise<Uint8Array> {
  const copy = (bytes: Uint8Array) => new Uint8Array(bytes);
  const imported = await crypto.subtle.importKey("raw", copy(key), "AES-CTR", false, ["encrypt"]);
  const algorithm = { name: "AES-CTR", counter: copy(counter), length: 128 };
  return new Uint8Array(await crypto.subtle.encrypt(algorithm, imported, copy(data)));
}

/** Puts bytes through a keystream, as many at a time as its calls take. */
export class Through {
  readonly #keystream: Keystream;
  readonly #room = new WordBytes(LONGEST);

  constructor(keystream: Keystream) {
    this.#keystream = keystream;
  }

  /** `data[from, to)` in one `xor`, in place. */
  piece(data: Uint8Array, from: number, to: number): void {
    this.#room.bytes.set(data.subarray(from, to));
    this.#keystream.xor(this.#room, to - from);
    data.set(this.#room.bytes.subarray(0, to - from), from);
  }

  /** `data[from, to)` in pieces of `size`, in place. */
  run(data: Uint8Array, from = 0, to = data.length, size = LONGEST): void {
    for (; from < to; from += size) this.piece(data, from, Math.min(from + size, to));
  }

  /** The next `length` bytes of the keystream. */
  next(length: number): Uint8Array {
    const data = new Uint8Array(length);
    this.run(data);
    return data;
  }
}

/** Watches the calls that produce keystream; `settle()` waits until all of them have arrived where they belong. */
export function watchWebCrypto() {
  const original = crypto.subtle.encrypt.bind(crypto.subtle);
  const pending: Promise<ArrayBuffer>[] = [];
  const produced: Uint8Array[] = [];
  const lengths: number[] = [];
  const encrypt = vi.spyOn(crypto.subtle, "encrypt").mockImplementation((...args) => {
    const result = original(...args);
    lengths.push((args[2] as Uint8Array).length);
    pending.push(result);
    result.then((stream) => produced.push(new Uint8Array(stream)));
    return result;
  });
  return {
    encrypt,
    /** Bytes asked for, call by call. */
    lengths,
    /** What came, in the memory in which it is kept. */
    produced,
    /** How much of what came is overwritten. */
    blank: () => produced.filter((stream) => stream.every((byte) => byte === 0)).length,
    async settle() {
      // Requests made but not yet at WebCrypto wait for the key's import.
      for (let before = -1; before !== pending.length; ) {
        before = pending.length;
        await new Promise((resolve) => setTimeout(resolve, 2));
        await Promise.all(pending);
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
