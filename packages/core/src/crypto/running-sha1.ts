// A running SHA-1 (FIPS 180-4 6.1) whose digest can be read at any point: the digest of relay cells (tor-spec 6.1).
// Our own, because a library's digest of a running state costs a clone of it: 4.8 µs a cell against 1.3 µs here, both on a busy
// machine (3.2 against 1.1 on a quiet one).

import { sha1Block } from "./sha1-block.ts";

const BLOCK = 64;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The 20 bytes of a digest that `peek()` gave as words. */
export function digestBytes(words: Int32Array): Uint8Array {
  const digest = new Uint8Array(20);
  for (let i = 0; i < 20; i++) digest[i] = (words[i >> 2] as number) >>> (24 - 8 * (i & 3));
  return digest;
}

/** SHA-1 that goes on: `peek()` gives the digest of all bytes so far and leaves the state as it is. */
export class RunningSha1 {
  readonly #state = Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0);
  readonly #pending = new Uint8Array(BLOCK);
  readonly #pendingView = viewOf(this.#pending);
  #pendingLength = 0;
  /** Bytes so far. */
  #length = 0;
  // Kept so that nothing is allocated per cell.
  readonly #digest = new Int32Array(5);
  readonly #marked = {
    state: new Int32Array(5),
    pending: new Uint8Array(BLOCK),
    pendingLength: 0,
    length: 0,
  };
  /** A block of its own for the length: zero but for that. */
  readonly #lastView = new DataView(new ArrayBuffer(BLOCK));

  /** Takes `bytes[from, to)`. @param view of the same memory, where there is one: making it costs more than a block */
  update(bytes: Uint8Array, from = 0, to = bytes.length, view = viewOf(bytes)): void {
    this.#length += to - from;
    if (this.#pendingLength > 0) {
      const taken = Math.min(BLOCK - this.#pendingLength, to - from);
      for (let i = 0; i < taken; i++) this.#pending[this.#pendingLength + i] = bytes[from + i] as number;
      this.#pendingLength += taken;
      from += taken;
      if (this.#pendingLength < BLOCK) return;
      sha1Block(this.#state, this.#pendingView, 0);
      this.#pendingLength = 0;
    }
    for (; from + BLOCK <= to; from += BLOCK) sha1Block(this.#state, view, from);
    for (; from < to; from++) this.#pending[this.#pendingLength++] = bytes[from] as number;
  }

  /** The digest of everything so far as five words, in an array that the next peek uses again. */
  peek(): Int32Array {
    const digest = this.#digest;
    digest.set(this.#state);
    // The padding goes behind the pending bytes, where nothing is kept; the length needs the last eight of a block.
    this.#pending[this.#pendingLength] = 0x80;
    this.#pending.fill(0, this.#pendingLength + 1);
    let last = this.#pendingView;
    if (this.#pendingLength >= BLOCK - 8) {
      sha1Block(digest, last, 0);
      last = this.#lastView;
    }
    last.setUint32(BLOCK - 8, Math.floor(this.#length / 0x20000000));
    last.setUint32(BLOCK - 4, (this.#length * 8) >>> 0);
    sha1Block(digest, last, 0);
    return digest;
  }

  /** Marks this point, so that `rollback()` undoes every update since. One mark at a time. */
  checkpoint(): void {
    this.#marked.state.set(this.#state);
    this.#marked.pending.set(this.#pending);
    this.#marked.pendingLength = this.#pendingLength;
    this.#marked.length = this.#length;
  }

  rollback(): void {
    this.#state.set(this.#marked.state);
    this.#pending.set(this.#marked.pending);
    this.#pendingLength = this.#marked.pendingLength;
    this.#length = this.#marked.length;
  }

  /** Overwrites the state, from which whoever has the key could go on. */
  destroy(): void {
    for (const words of [this.#state, this.#digest, this.#marked.state]) words.fill(0);
    for (const bytes of [this.#pending, this.#marked.pending]) bytes.fill(0);
  }
}
