// AES-128 in counter mode (NIST SP 800-38A 6.5) without tables, eight blocks at a time: CGO's cells (proposal 359) take
// 36 blocks of keystream that starts at a counter whose low six bits are zero, so only the last byte ever changes.
//
// The planes of eight blocks are 32 words: bit 8c + b of word 8r + i is bit i of the byte in row r, column c of block b.
// There MixColumns needs no shifts, and ShiftRows is a rotation of words. 105 ns a round in V8.

import type { AesPair } from "./aes.ts";
import { mixBlocks } from "./aes-mix.ts";
import {
  addRoundKey,
  maskOf,
  mixColumns,
  REDUCED,
  shiftRows,
  toPlanes,
  transposeBits,
  transposeBytes,
} from "./aes-planes.ts";
import { subBytes } from "./aes-sbox.ts";

const ROUNDS = 10;
/** After two rounds all bytes depend on the counter; up to there most of the work is the same for all blocks. */
const SHARED_ROUNDS = 2;
/** Bit i of the counters 0 to 31, in the order of the bits of a word. */
const COUNTERS = [0xaaaaaaaa, 0xcccccccc, 0xf0f0f0f0, 0xff00ff00, 0xffff0000, 0, 0, 0] as const;

/** The byte of a word (so the column) to which ShiftRows moves what each row has in column 0. */
const ROW_0 = 0x000000ff;
const ROW_1 = 0xff000000;
const ROW_2 = 0x00ff0000;
const ROW_3 = 0x0000ff00;
/** In a word that holds two blocks: all but the second one's last byte, all but both first columns. */
const NOT_LAST_BYTE = 0x7fffffff;
const NOT_COLUMN_0 = 0xffffff00;

/** Makes of the second of two blocks, eight words from `at`, eight equal blocks. */
function spread(from: Int32Array, at: number, to: Int32Array): void {
  for (let i = 0; i < 8; i++) {
    const x = (from[at + i] as number) >>> 4;
    to[i] = Math.imul(x & 0x01010101, 0xff);
    to[8 + i] = Math.imul((x >>> 1) & 0x01010101, 0xff);
    to[16 + i] = Math.imul((x >>> 2) & 0x01010101, 0xff);
    to[24 + i] = Math.imul((x >>> 3) & 0x01010101, 0xff);
  }
}

export class AesCounter {
  readonly #keys: AesPair;
  /** Round keys as planes of eight blocks, from the third round on. */
  readonly #roundKeys = Array.from({ length: ROUNDS - SHARED_ROUNDS }, () => new Int32Array(32));
  readonly #start = new Int32Array(8);
  /** Of all counters, what SubBytes makes of the last byte: 0 to 31, then 32 to 39. */
  readonly #lastByte = new Int32Array(16);
  /** What column 0 is after the first round, but for the last byte's part; each byte's bits eight times. */
  readonly #column = new Int32Array(8);
  /** What eight blocks are after the second round, but for column 0's part. */
  readonly #rest = new Int32Array(32);
  readonly #part = new Int32Array(8);
  readonly #blocks = new Int32Array(32);

  /** @param keys the second one is used */
  constructor(keys: AesPair) {
    this.#keys = keys;
  }

  /** To be called after the keys have changed. */
  rekey(): void {
    const from = this.#keys.roundKeys;
    this.#roundKeys.forEach((to, i) => {
      spread(from, 8 * (SHARED_ROUNDS + 1 + i), to);
    });
  }

  /** Takes the first counter from four columns, lowest byte first; the low six bits of the last byte must be zero. */
  start(counter: Int32Array): void {
    const x = this.#start;
    for (let i = 0; i < 4; i++) {
      x[i] = 0;
      x[4 + i] = counter[i] as number;
    }
    toPlanes(x);
    addRoundKey(x, this.#keys.roundKeys, 0);
    const last = this.#lastByte;
    for (let i = 0; i < 8; i++) {
      const bit = (x[i] as number) >> 31;
      last[i] = bit ^ (COUNTERS[i] as number);
      last[8 + i] = bit ^ (i === 5 ? -1 : (COUNTERS[i] as number));
    }
    subBytes(last, 16);
    this.#sharedRound(1, NOT_LAST_BYTE);
    for (let i = 0; i < 8; i++) {
      const rows = (x[i] as number) >>> 4;
      const first = (rows & 1) | ((rows & 2) << 23) | ((rows & 4) << 14) | ((rows & 8) << 5);
      this.#column[i] = Math.imul(first, 0xff);
    }
    this.#sharedRound(2, NOT_COLUMN_0);
    spread(x, 0, this.#rest);
  }

  /** Keystream of the counters 8 * group to 8 * group + 7 (group 0 to 4): word 8c + b is column c of block b. Reused. */
  blocks(group: number): Int32Array {
    const blocks = this.#blocks;
    this.#startBlocks(group);
    for (let round = SHARED_ROUNDS + 1; round < ROUNDS; round++) {
      subBytes(blocks, 32);
      mixBlocks(blocks, this.#roundKeys[round - SHARED_ROUNDS - 1] as Int32Array);
    }
    subBytes(blocks, 32);
    finish(blocks, this.#roundKeys[ROUNDS - SHARED_ROUNDS - 1] as Int32Array);
    return blocks;
  }

  /** Overwrites everything; the keys are the pair's to destroy. */
  destroy(): void {
    for (const words of this.#roundKeys) words.fill(0);
    for (const words of [this.#start, this.#lastByte, this.#column, this.#rest, this.#part, this.#blocks])
      words.fill(0);
  }

  /** A round for what all counters have in common; of its input to MixColumns, what `mask` leaves. */
  #sharedRound(round: number, mask: number): void {
    const x = this.#start;
    subBytes(x, 8);
    for (let i = 0; i < 8; i++) x[i] = (x[i] as number) & mask;
    shiftRows(x);
    mixColumns(x);
    addRoundKey(x, this.#keys.roundKeys, 8 * round);
  }

  /** The first two rounds of eight blocks. */
  #startBlocks(group: number): void {
    const part = this.#part;
    const last = this.#lastByte;
    const at = group < 4 ? 0 : 8;
    const shift = 8 * (group & 3);
    // MixColumns of the first round: rows 0 to 3 get the last byte once, once, thrice and twice.
    const top = ((last[at + 7] as number) >>> shift) & 0xff;
    let lower = 0;
    for (let i = 0; i < 8; i++) {
      const b = ((last[at + i] as number) >>> shift) & 0xff;
      part[i] =
        (this.#column[i] as number) ^
        Math.imul(b, (ROW_0 | ROW_1 | ROW_2) & 0x01010101) ^
        Math.imul(lower ^ (top & maskOf(REDUCED, i)), (ROW_2 | ROW_3) & 0x01010101);
      lower = b;
    }
    subBytes(part, 8);
    // MixColumns of the second: each column holds one byte of what was column 0.
    const blocks = this.#blocks;
    const rest = this.#rest;
    const highest = part[7] as number;
    lower = 0;
    for (let i = 0; i < 8; i++) {
      const x = part[i] as number;
      const x2 = lower ^ (highest & maskOf(REDUCED, i));
      blocks[i] = (rest[i] as number) ^ (x & ~ROW_0) ^ (x2 & (ROW_0 | ROW_1));
      blocks[8 + i] = (rest[8 + i] as number) ^ (x & ~ROW_1) ^ (x2 & (ROW_1 | ROW_2));
      blocks[16 + i] = (rest[16 + i] as number) ^ (x & ~ROW_2) ^ (x2 & (ROW_2 | ROW_3));
      blocks[24 + i] = (rest[24 + i] as number) ^ (x & ~ROW_3) ^ (x2 & (ROW_3 | ROW_0));
      lower = x;
    }
  }
}

/** The last round's ShiftRows and AddRoundKey, and from planes to columns. */
function finish(blocks: Int32Array, key: Int32Array): void {
  for (let i = 0; i < 8; i++) {
    blocks[i] = (blocks[i] as number) ^ (key[i] as number);
    blocks[8 + i] = rotate(blocks[8 + i] as number, 8) ^ (key[8 + i] as number);
    blocks[16 + i] = rotate(blocks[16 + i] as number, 16) ^ (key[16 + i] as number);
    blocks[24 + i] = rotate(blocks[24 + i] as number, 24) ^ (key[24 + i] as number);
  }
  transposeBits(blocks, 32);
  for (let b = 0; b < 8; b++) transposeBytes(blocks, b, 8);
}

function rotate(x: number, right: number): number {
  return (x >>> right) | (x << (32 - right));
}
