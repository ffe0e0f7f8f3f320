// UIV+, the cipher over whole cells of CGO (proposal 359; Degabriele, Melloni, Münch and Stam, eprint 2025/583): the left
// 16 bytes go through a tweakable block cipher ET, AES-128 between two additions of POLYVAL(tweak, right part), and the
// rest is XORed with PRF, the AES-128-CTR keystream from the counter POLYVAL(left part). Nothing is allocated per cell.

import { AesPair } from "../../crypto/aes.ts";
import { AesCounter } from "../../crypto/aes-counter.ts";
import { Polyval } from "../../crypto/polyval.ts";

/** Words of a block, of the left part and of every single key. */
const BLOCK = 4;
/** Words of the keys (J, S): each an AES-128 key, then a POLYVAL key. */
export const UIV_KEY = 4 * BLOCK;
/** Bytes of the left part. */
const LEFT = 16;
/** The right part, 493 bytes, is these blocks and 13 bytes; PRF(S, left part, 1) begins two blocks later, at block 31. */
const WHOLE_BLOCKS = 30;
/** Clears the low six bits of the counter, which stand in the highest byte of its last word. */
const COUNTER_MASK = ~0x3f000000;

export class Uiv {
  readonly #aes = new AesPair();
  readonly #counter = new AesCounter(this.#aes);
  readonly #tweakHash = new Polyval();
  readonly #counterHash = new Polyval();
  /** Blocks for the block cipher, which needs room for two and is given one; both AES keys when they change. */
  readonly #block = new Int32Array(2 * BLOCK);
  /** The last cell's PRF(S, left part, 1): the next (J, S) and nonce, of which the first block comes with the cell. */
  readonly #next = new Int32Array(UIV_KEY + BLOCK);

  /** @param words UIV_KEY words or more, as little-endian loads give them */
  setKeys(words: Int32Array): void {
    const aes = this.#block;
    for (let i = 0; i < BLOCK; i++) {
      aes[i] = words[i] as number;
      aes[BLOCK + i] = words[2 * BLOCK + i] as number;
    }
    this.#aes.setKeys(aes);
    this.#counter.rekey();
    this.#tweakHash.setKey(words, BLOCK);
    this.#counterHash.setKey(words, 3 * BLOCK);
  }

  /** ENC_UIV of the 509 bytes from `at`, under the tweak (`tweak` of four words, `command`). Three more are read. */
  encrypt(view: DataView, at: number, tweak: Int32Array, command: number): void {
    const mask = this.#hashTweak(view, at, tweak, command);
    this.#maskLeft(view, at, mask);
    this.#aes.encrypt(this.#block);
    this.#unmaskLeft(view, at, mask);
    this.#xorRight(view, at);
  }

  /** DEC_UIV, likewise. */
  decrypt(view: DataView, at: number, tweak: Int32Array, command: number): void {
    this.#xorRight(view, at);
    const mask = this.#hashTweak(view, at, tweak, command);
    this.#maskLeft(view, at, mask);
    this.#aes.decrypt(this.#block);
    this.#unmaskLeft(view, at, mask);
  }

  /**
   * UPDATE_UIV: new keys, and the new nonce (four words) to `nonce`. The nonce that goes in is the encrypted left part of
   * the cell last en- or decrypted, which is what all uses of it have; so the keystream of that cell simply goes on.
   */
  update(nonce: Int32Array): void {
    const next = this.#next;
    const blocks = this.#counter.blocks(4);
    for (let i = 0; i < 16; i++) next[BLOCK + i] = blocks[8 * (i & 3) + (i >> 2)] as number;
    this.setKeys(next);
    for (let i = 0; i < BLOCK; i++) nonce[i] = next[UIV_KEY + i] as number;
  }

  /** Overwrites the keys. */
  destroy(): void {
    for (const part of [this.#aes, this.#counter, this.#tweakHash, this.#counterHash]) part.destroy();
    this.#block.fill(0);
    this.#next.fill(0);
  }

  #maskLeft(view: DataView, at: number, mask: Int32Array): void {
    for (let i = 0; i < BLOCK; i++) this.#block[i] = view.getInt32(at + 4 * i, true) ^ (mask[i] as number);
  }

  #unmaskLeft(view: DataView, at: number, mask: Int32Array): void {
    for (let i = 0; i < BLOCK; i++) {
      view.setInt32(at + 4 * i, (this.#block[i] as number) ^ (mask[i] as number), true);
    }
  }

  /** POLYVAL of tweak, command and right part: 510 bytes, and two of zero. */
  #hashTweak(view: DataView, at: number, tweak: Int32Array, command: number): Int32Array {
    const hash = this.#tweakHash;
    // The command is hashed in the place of the left part's last byte.
    at += LEFT - 1;
    hash.reset();
    hash.addPair(
      tweak[0] as number,
      tweak[1] as number,
      tweak[2] as number,
      tweak[3] as number,
      (view.getInt32(at, true) & ~0xff) | command,
      view.getInt32(at + 4, true),
      view.getInt32(at + 8, true),
      view.getInt32(at + 12, true),
    );
    at += 16;
    for (let pair = 1; pair < 16; pair++, at += 32) {
      hash.addPair(
        view.getInt32(at, true),
        view.getInt32(at + 4, true),
        view.getInt32(at + 8, true),
        view.getInt32(at + 12, true),
        view.getInt32(at + 16, true),
        view.getInt32(at + 20, true),
        view.getInt32(at + 24, true),
        view.getInt32(at + 28, true) & (pair < 15 ? -1 : 0xffff),
      );
    }
    return hash.sum;
  }

  /** XORs PRF(S, left part, 0) into the right part. */
  #xorRight(view: DataView, at: number): void {
    const hash = this.#counterHash;
    const { sum } = hash;
    hash.reset();
    hash.add(
      view.getInt32(at, true),
      view.getInt32(at + 4, true),
      view.getInt32(at + 8, true),
      view.getInt32(at + 12, true),
    );
    sum[3] = (sum[3] as number) & COUNTER_MASK;
    this.#counter.start(sum);
    at += LEFT;
    let blocks: Int32Array = sum;
    for (let block = 0; block < WHOLE_BLOCKS; block++, at += 16) {
      const b = block & 7;
      if (b === 0) blocks = this.#counter.blocks(block >> 3);
      view.setInt32(at, view.getInt32(at, true) ^ (blocks[b] as number), true);
      view.setInt32(at + 4, view.getInt32(at + 4, true) ^ (blocks[8 + b] as number), true);
      view.setInt32(at + 8, view.getInt32(at + 8, true) ^ (blocks[16 + b] as number), true);
      view.setInt32(at + 12, view.getInt32(at + 12, true) ^ (blocks[24 + b] as number), true);
    }
    view.setInt32(at, view.getInt32(at, true) ^ (blocks[6] as number), true);
    view.setInt32(at + 4, view.getInt32(at + 4, true) ^ (blocks[14] as number), true);
    view.setInt32(at + 8, view.getInt32(at + 8, true) ^ (blocks[22] as number), true);
    view.setUint8(at + 12, view.getUint8(at + 12) ^ (blocks[30] as number));
    for (let i = 0; i < BLOCK; i++) this.#next[i] = blocks[8 * i + 7] as number;
  }
}
