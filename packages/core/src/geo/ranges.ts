// Addresses of one family by country: where each range begins, as words of 32 bits, found by halving
// (format: packages/core/data/README.md).

import type { Reader } from "../base/bytes.ts";
import { badGeoData } from "./errors.ts";

export class CountryRanges {
  /** The first words of all ranges' beginnings, then the second words, and so on. */
  readonly #begins: readonly Uint32Array[];
  /** By range: 1 + the index of its country, or 0 for none. */
  readonly #countries: Uint8Array;

  /**
   * @param words how many words of an address count
   * @throws TorError when it is not such a table, its ranges are not in order, or it names a country beyond `countries`
   */
  constructor(reader: Reader, words: number, countries: number) {
    const count = reader.u32();
    this.#countries = reader.take(count).slice();
    if (count === 0) throw badGeoData("no ranges");
    if (this.#countries.some((index) => index > countries)) throw badGeoData("an unknown country");
    this.#begins = readBegins(reader.take(reader.u32()), count, words);
  }

  /** @param address its words in network order; further bytes do not count */
  indexOf(address: Uint8Array): number {
    const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
    const wanted = this.#begins.map((_, i) => view.getUint32(4 * i));
    let low = 0;
    let high = this.#countries.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#isAfter(middle, wanted)) high = middle - 1;
      else low = middle;
    }
    return this.#countries[low] as number;
  }

  /** Whether the range begins after this address. */
  #isAfter(range: number, wanted: readonly number[]): boolean {
    for (const [i, words] of this.#begins.entries()) {
      const difference = (words[range] as number) - (wanted[i] as number);
      if (difference !== 0) return difference > 0;
    }
    return false;
  }
}

/**
 * Each word is written as its distance from that of the range before where the words above it are the same, and whole where
 * they are not. The first range begins at 0, so that every address is in one.
 */
function readBegins(bytes: Uint8Array, count: number, words: number): Uint32Array[] {
  // A number has a byte at the least: what is allocated is no more than four times what is there.
  if (count * words > bytes.length) throw badGeoData("fewer numbers than ranges");
  const begins = Array.from({ length: words }, () => new Uint32Array(count));
  const numbers = new Numbers(bytes);
  for (let range = 0; range < count; range++) {
    let isSame = true;
    for (const column of begins) {
      const before = column[range - 1] ?? 0;
      const number = numbers.next();
      const word: number = isSame ? before + number : number;
      if (word > 0xffffffff) throw badGeoData("a range begins beyond the last address");
      column[range] = word;
      isSame &&= word === before;
    }
    // Only the first range may, and must, begin where "before the first" does.
    if (isSame !== (range === 0)) throw badGeoData("ranges out of order");
  }
  numbers.end();
  return begins;
}

/** Unsigned LEB128 numbers below 2^32, one after the other. */
class Numbers {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 35; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw badGeoData("it ends inside of a number");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw badGeoData("a number that is too long");
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw badGeoData("more numbers than ranges");
  }
}
