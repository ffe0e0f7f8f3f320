// A running SHA-1 (FIPS 180-4 6.1) whose digest can be read at any point: the digest of relay cells (tor-spec 6.1).
// The state stays in locals and each phase has a loop of its own, which is what makes it fast in JavaScript engines.

const BLOCK = 64;

function rotl(x: number, n: number): number {
  return (x << n) | (x >>> (32 - n));
}

/** SHA-1 that goes on: `peek()` gives the digest of all bytes so far and leaves the state as it is. */
export class RunningSha1 {
  readonly #state = Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0);
  readonly #pending = new Uint8Array(BLOCK);
  #pendingLength = 0;
  /** Bytes so far. */
  #length = 0;
  // Scratch for one block, kept so that nothing is allocated per cell.
  readonly #words = new Int32Array(80);
  readonly #saved = new Int32Array(5);
  readonly #marked = { state: new Int32Array(5), pending: new Uint8Array(BLOCK), pendingLength: 0, length: 0 };
  readonly #tail = new Uint8Array(2 * BLOCK);

  /** Takes `bytes[from, to)`. */
  update(bytes: Uint8Array, from = 0, to = bytes.length): void {
    this.#length += to - from;
    if (this.#pendingLength > 0) {
      const taken = Math.min(BLOCK - this.#pendingLength, to - from);
      this.#pending.set(bytes.subarray(from, from + taken), this.#pendingLength);
      this.#pendingLength += taken;
      from += taken;
      if (this.#pendingLength < BLOCK) return;
      this.#block(this.#pending, 0);
      this.#pendingLength = 0;
    }
    for (; from + BLOCK <= to; from += BLOCK) this.#block(bytes, from);
    if (from < to) {
      this.#pending.set(bytes.subarray(from, to));
      this.#pendingLength = to - from;
    }
  }

  /** The 20-byte digest of everything so far. */
  peek(): Uint8Array {
    const tail = this.#tail.fill(0);
    tail.set(this.#pending.subarray(0, this.#pendingLength));
    tail[this.#pendingLength] = 0x80;
    const length = this.#pendingLength < 56 ? BLOCK : 2 * BLOCK;
    const view = new DataView(tail.buffer);
    view.setUint32(length - 8, Math.floor(this.#length / 0x20000000));
    view.setUint32(length - 4, (this.#length * 8) >>> 0);
    this.#saved.set(this.#state);
    for (let at = 0; at < length; at += BLOCK) this.#block(tail, at);
    const digest = new Uint8Array(20);
    const out = new DataView(digest.buffer);
    for (let i = 0; i < 5; i++) out.setInt32(4 * i, this.#state[i] as number);
    this.#state.set(this.#saved);
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

  clone(): RunningSha1 {
    const copy = new RunningSha1();
    copy.#state.set(this.#state);
    copy.#pending.set(this.#pending);
    copy.#pendingLength = this.#pendingLength;
    copy.#length = this.#length;
    return copy;
  }

  #block(bytes: Uint8Array, at: number): void {
    const w = this.#words;
    for (let i = 0; i < 16; i++, at += 4) {
      w[i] =
        ((bytes[at] as number) << 24) |
        ((bytes[at + 1] as number) << 16) |
        ((bytes[at + 2] as number) << 8) |
        (bytes[at + 3] as number);
    }
    for (let i = 16; i < 80; i++) {
      w[i] = rotl(
        (w[i - 3] as number) ^ (w[i - 8] as number) ^ (w[i - 14] as number) ^ (w[i - 16] as number),
        1,
      );
    }
    const s = this.#state;
    let a = s[0] as number;
    let b = s[1] as number;
    let c = s[2] as number;
    let d = s[3] as number;
    let e = s[4] as number;
    for (let i = 0; i < 20; i++) {
      const t = (((a << 5) | (a >>> 27)) + (d ^ (b & (c ^ d))) + e + 0x5a827999 + (w[i] as number)) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = t;
    }
    for (let i = 20; i < 40; i++) {
      const t = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0x6ed9eba1 + (w[i] as number)) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = t;
    }
    for (let i = 40; i < 60; i++) {
      const t = (((a << 5) | (a >>> 27)) + ((b & c) | (d & (b | c))) + e + 0x8f1bbcdc + (w[i] as number)) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = t;
    }
    for (let i = 60; i < 80; i++) {
      const t = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0xca62c1d6 + (w[i] as number)) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = t;
    }
    s[0] = (a + (s[0] as number)) | 0;
    s[1] = (b + (s[1] as number)) | 0;
    s[2] = (c + (s[2] as number)) | 0;
    s[3] = (d + (s[3] as number)) | 0;
    s[4] = (e + (s[4] as number)) | 0;
  }
}
