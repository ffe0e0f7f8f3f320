// AES-128 (FIPS 197) for two keys at a time, without tables: its time and its memory accesses depend on no secret.
// Made for relay crypto that takes new keys with every cell (CGO): both key schedules run side by side in one, in place.

import { beginInvRound, endInvSubBytes, invMixColumns } from "./aes-inverse.ts";
import { addRoundKey, fromPlanes, maskOf, mixColumns, shiftRows, toPlanes } from "./aes-planes.ts";
import { subBytes } from "./aes-sbox.ts";

const ROUNDS = 10;
/** The constant that SubBytes adds (FIPS 197 5.1.1); our circuit leaves it to the round keys. */
const SBOX_CONSTANT = 0x63;
/** FIPS 197 5.2. */
const RCON = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36] as const;

/** Two AES-128 keys. Blocks and keys are words of four bytes, lowest byte first. */
export class AesPair {
  /** The round keys as planes, eight words each; those after the first with SBOX_CONSTANT added to every byte. */
  readonly roundKeys = new Int32Array(8 * (ROUNDS + 1));
  readonly #planes = new Int32Array(8);
  readonly #scratch = new Int32Array(8);

  /** Takes the first key from words[0, 4), the second from words[4, 8). */
  setKeys(words: Int32Array): void {
    const key = this.#planes;
    for (let i = 0; i < 8; i++) key[i] = words[i] as number;
    toPlanes(key);
    for (let i = 0; i < 8; i++) this.#scratch[i] = this.roundKeys[i] = key[i] as number;
    for (let round = 1; round <= ROUNDS; round++) this.#expand(round);
  }

  /** Encrypts words[0, 4) with the first key and words[4, 8) with the second, in place. */
  encrypt(words: Int32Array): void {
    toPlanes(words);
    addRoundKey(words, this.roundKeys, 0);
    for (let round = 1; round <= ROUNDS; round++) {
      subBytes(words, 8);
      shiftRows(words);
      if (round < ROUNDS) mixColumns(words);
      addRoundKey(words, this.roundKeys, 8 * round);
    }
    fromPlanes(words);
  }

  /** Decrypts words[0, 4) with the first key and words[4, 8) with the second, in place. */
  decrypt(words: Int32Array): void {
    const keys = this.roundKeys;
    toPlanes(words);
    addRoundKey(words, keys, 8 * ROUNDS);
    for (let round = ROUNDS - 1; round >= 0; round--) {
      beginInvRound(words);
      subBytes(words, 8);
      endInvSubBytes(words, keys, 8 * round);
      if (round > 0) invMixColumns(words);
    }
    fromPlanes(words);
  }

  /** Overwrites the keys. */
  destroy(): void {
    this.roundKeys.fill(0);
    this.#planes.fill(0);
    this.#scratch.fill(0);
  }

  /** KeyExpansion (FIPS 197 5.2) from one round to the next. */
  #expand(round: number): void {
    const key = this.#planes;
    const last = this.#scratch;
    subBytes(last, 8);
    for (let i = 0; i < 8; i++) {
      // RotWord and SubWord of the last column, Rcon in row 0 of both keys.
      const column = (last[i] as number) >>> 24;
      const word =
        ((column >>> 1) & 0x77) ^
        ((column << 3) & 0x88) ^
        (maskOf(SBOX_CONSTANT, i) & 0xff) ^
        (maskOf(RCON[round - 1] as number, i) & 0x11);
      // It reaches every column, and so does each column those after it.
      let x = key[i] as number;
      x ^= x << 8;
      x ^= x << 16;
      x ^= Math.imul(word, 0x01010101);
      key[i] = x;
      last[i] = x;
      this.roundKeys[8 * round + i] = x ^ maskOf(SBOX_CONSTANT, i);
    }
  }
}
