// CGO's cipher with tables, to measure what the version without costs: AES by T-tables (FIPS 197; Daemen and Rijmen, The
// Design of Rijndael, 4.2), POLYVAL by a table of 256 multiples of the key. Which entries are read depends on keys and
// data, and shows in caches that are shared with others: not for use.

import { Polyval } from "../../../packages/core/src/crypto/polyval.ts";

const double = (x: number) => ((x << 1) ^ ((x >> 7) * 0x11b)) & 255;
const rotate = (x: number, left: number) => (x << left) | (x >>> (32 - left));

const S = new Uint8Array(256);
const INV_S = new Uint8Array(256);
/** MixColumns of SubBytes(x) in row 0 to 3. */
const T0 = new Int32Array(256);
const T1 = new Int32Array(256);
const T2 = new Int32Array(256);
const T3 = new Int32Array(256);
/** InvMixColumns of x in row 0. */
const U = new Int32Array(256);
/** What the low byte of a field element becomes in its highest word when it is divided by x^8. */
const FOLD = new Int32Array(256);

for (let p = 1, q = 1; ; ) {
  // p runs through the powers of 3, q through those of its inverse.
  const x = q ^ (q << 1) ^ (q << 2) ^ (q << 3) ^ (q << 4);
  S[p] = (x ^ (x >> 8) ^ 0x63) & 255;
  p ^= double(p);
  q ^= q << 1;
  q ^= q << 2;
  q ^= q << 4;
  q = (q & 255) ^ (q & 128 ? 9 : 0);
  if (p === 1) break;
}
S[0] = 0x63;
for (let x = 0; x < 256; x++) {
  const s = S[x] as number;
  INV_S[s] = x;
  T0[x] = double(s) | (s << 8) | (s << 16) | ((s ^ double(s)) << 24);
  T1[x] = rotate(T0[x] as number, 8);
  T2[x] = rotate(T0[x] as number, 16);
  T3[x] = rotate(T0[x] as number, 24);
  const x2 = double(x);
  const x4 = double(x2);
  const x8 = double(x4);
  U[x] = (x8 ^ x4 ^ x2) | ((x8 ^ x) << 8) | ((x8 ^ x4 ^ x) << 16) | ((x8 ^ x2 ^ x) << 24);
  FOLD[x] = (x << 24) ^ (x << 23) ^ (x << 22) ^ (x << 17);
}

function column(a: number, b: number, c: number, d: number, key: number): number {
  return (
    (T0[a & 255] as number) ^
    (T1[(b >>> 8) & 255] as number) ^
    (T2[(c >>> 16) & 255] as number) ^
    (T3[d >>> 24] as number) ^
    key
  );
}

function lookUp(s: Uint8Array, a: number, b: number, c: number, d: number): number {
  return (
    (s[a & 255] as number) |
    ((s[(b >>> 8) & 255] as number) << 8) |
    ((s[(c >>> 16) & 255] as number) << 16) |
    ((s[d >>> 24] as number) << 24)
  );
}

function expand(words: Int32Array, at: number, keys: Int32Array): void {
  for (let i = 0; i < 4; i++) keys[i] = words[at + i] as number;
  for (let i = 4, rcon = 1; i < 44; i++) {
    let t = keys[i - 1] as number;
    if ((i & 3) === 0) {
      t = rotate(t, 24);
      t = lookUp(S, t, t, t, t) ^ rcon;
      rcon = double(rcon);
    }
    keys[i] = (keys[i - 4] as number) ^ t;
  }
}

function decryptBlock(k: Int32Array, block: Int32Array): void {
  for (let i = 0; i < 4; i++) block[i] = (block[i] as number) ^ (k[40 + i] as number);
  for (let at = 36; at >= 0; at -= 4) {
    const [a, b, c, d] = block as unknown as [number, number, number, number];
    block[0] = lookUp(INV_S, a, d, c, b) ^ (k[at] as number);
    block[1] = lookUp(INV_S, b, a, d, c) ^ (k[at + 1] as number);
    block[2] = lookUp(INV_S, c, b, a, d) ^ (k[at + 2] as number);
    block[3] = lookUp(INV_S, d, c, b, a) ^ (k[at + 3] as number);
    for (let i = 0; i < 4 && at > 0; i++) {
      const x = block[i] as number;
      block[i] =
        (U[x & 255] as number) ^
        rotate(U[(x >>> 8) & 255] as number, 8) ^
        rotate(U[(x >>> 16) & 255] as number, 16) ^
        rotate(U[x >>> 24] as number, 24);
    }
  }
}

/** Keystream blocks, from the counter `c` (its low six bits zero) plus `from` on, into `to` at its end or XORed into a cell. */
function xorKeystream(
  k: Int32Array,
  c: Int32Array,
  from: number,
  count: number,
  view: DataView,
  at: number,
): void {
  const key = (i: number) => k[i] as number;
  const c0 = (c[0] as number) ^ key(0);
  const c1 = (c[1] as number) ^ key(1);
  const c2 = (c[2] as number) ^ key(2);
  const c3 = (c[3] as number) ^ key(3);
  // Only the last byte changes, in the first round one look-up and in the second four; with it taken for zero:
  const last = c3 >>> 24;
  const x0 = column(c0, c1, c2, c3, key(4)) ^ (T3[last] as number);
  const x1 = column(c1, c2, c3, c0, key(5));
  const x2 = column(c2, c3, c0, c1, key(6));
  const x3 = column(c3, c0, c1, c2, key(7));
  const y0 = column(0, x1, x2, x3, key(8)) ^ (T0[0] as number);
  const y1 = column(x1, x2, x3, 0, key(9)) ^ (T3[0] as number);
  const y2 = column(x2, x3, 0, x1, key(10)) ^ (T2[0] as number);
  const y3 = column(x3, 0, x1, x2, key(11)) ^ (T1[0] as number);
  for (let n = from; n < from + count; n++, at += 16) {
    const x = x0 ^ (T3[last ^ n] as number);
    let a = y0 ^ (T0[x & 255] as number);
    let b = y1 ^ (T3[x >>> 24] as number);
    let c = y2 ^ (T2[(x >>> 16) & 255] as number);
    let d = y3 ^ (T1[(x >>> 8) & 255] as number);
    // Written out: V8 does not inline as many calls as this would take.
    for (let i = 12; i < 36; i += 8) {
      const e =
        (T0[a & 255] as number) ^
        (T1[(b >>> 8) & 255] as number) ^
        (T2[(c >>> 16) & 255] as number) ^
        (T3[d >>> 24] as number) ^
        key(i);
      const f =
        (T0[b & 255] as number) ^
        (T1[(c >>> 8) & 255] as number) ^
        (T2[(d >>> 16) & 255] as number) ^
        (T3[a >>> 24] as number) ^
        key(i + 1);
      const g =
        (T0[c & 255] as number) ^
        (T1[(d >>> 8) & 255] as number) ^
        (T2[(a >>> 16) & 255] as number) ^
        (T3[b >>> 24] as number) ^
        key(i + 2);
      const h =
        (T0[d & 255] as number) ^
        (T1[(a >>> 8) & 255] as number) ^
        (T2[(b >>> 16) & 255] as number) ^
        (T3[c >>> 24] as number) ^
        key(i + 3);
      a =
        (T0[e & 255] as number) ^
        (T1[(f >>> 8) & 255] as number) ^
        (T2[(g >>> 16) & 255] as number) ^
        (T3[h >>> 24] as number) ^
        key(i + 4);
      b =
        (T0[f & 255] as number) ^
        (T1[(g >>> 8) & 255] as number) ^
        (T2[(h >>> 16) & 255] as number) ^
        (T3[e >>> 24] as number) ^
        key(i + 5);
      c =
        (T0[g & 255] as number) ^
        (T1[(h >>> 8) & 255] as number) ^
        (T2[(e >>> 16) & 255] as number) ^
        (T3[f >>> 24] as number) ^
        key(i + 6);
      d =
        (T0[h & 255] as number) ^
        (T1[(e >>> 8) & 255] as number) ^
        (T2[(f >>> 16) & 255] as number) ^
        (T3[g >>> 24] as number) ^
        key(i + 7);
    }
    const e = column(a, b, c, d, key(36));
    const f = column(b, c, d, a, key(37));
    const g = column(c, d, a, b, key(38));
    const h = column(d, a, b, c, key(39));
    view.setInt32(at, view.getInt32(at, true) ^ lookUp(S, e, f, g, h) ^ key(40), true);
    view.setInt32(at + 4, view.getInt32(at + 4, true) ^ lookUp(S, f, g, h, e) ^ key(41), true);
    view.setInt32(at + 8, view.getInt32(at + 8, true) ^ lookUp(S, g, h, e, f) ^ key(42), true);
    view.setInt32(at + 12, view.getInt32(at + 12, true) ^ lookUp(S, h, e, f, g) ^ key(43), true);
  }
}

/** POLYVAL (RFC 8452) for many blocks under one key. */
class TablePolyval {
  readonly sum = new Int32Array(4);
  /** Entry u: u * H / x^8. */
  readonly #multiples = new Int32Array(4 * 256);

  setKey(words: Int32Array, at: number): void {
    const m = this.#multiples;
    let [a, b, c, d] = words.subarray(at, at + 4) as unknown as [number, number, number, number];
    for (let u = 128; u > 0; u >>= 1) {
      const out = -(a & 1) & 0xe1000000;
      a = (a >>> 1) | (b << 31);
      b = (b >>> 1) | (c << 31);
      c = (c >>> 1) | (d << 31);
      d = (d >>> 1) ^ out;
      m[4 * u] = a;
      m[4 * u + 1] = b;
      m[4 * u + 2] = c;
      m[4 * u + 3] = d;
    }
    for (let top = 8; top < 1024; top <<= 1) {
      const [e, f, g, h] = [
        m[top] as number,
        m[top + 1] as number,
        m[top + 2] as number,
        m[top + 3] as number,
      ];
      for (let i = 4; i < top; i += 4) {
        m[top + i] = e ^ (m[i] as number);
        m[top + i + 1] = f ^ (m[i + 1] as number);
        m[top + i + 2] = g ^ (m[i + 2] as number);
        m[top + i + 3] = h ^ (m[i + 3] as number);
      }
    }
  }

  add(a: number, b: number, c: number, d: number): void {
    const { sum } = this;
    const m = this.#multiples;
    let word = a ^ (sum[0] as number);
    b ^= sum[1] as number;
    c ^= sum[2] as number;
    d ^= sum[3] as number;
    let z0 = 0;
    let z1 = 0;
    let z2 = 0;
    let z3 = 0;
    for (let i = 0; i < 4; i++) {
      for (let shift = 0; shift < 32; shift += 8) {
        const at = ((word >>> shift) & 255) << 2;
        const fold = FOLD[z0 & 255] as number;
        z0 = (z0 >>> 8) ^ (z1 << 24) ^ (m[at] as number);
        z1 = (z1 >>> 8) ^ (z2 << 24) ^ (m[at + 1] as number);
        z2 = (z2 >>> 8) ^ (z3 << 24) ^ (m[at + 2] as number);
        z3 = (z3 >>> 8) ^ fold ^ (m[at + 3] as number);
      }
      word = i === 0 ? b : i === 1 ? c : d;
    }
    sum[0] = z0;
    sum[1] = z1;
    sum[2] = z2;
    sum[3] = z3;
  }
}

/** As `Uiv` does it, for the client. */
export class TableUiv {
  readonly #blockKeys = new Int32Array(44);
  readonly #streamKeys = new Int32Array(44);
  readonly #tweakHash = new TablePolyval();
  /** For one block a cell a table does not pay. */
  readonly #counterHash = new Polyval();
  readonly #block = new Int32Array(4);
  readonly #next = new Int32Array(20);
  readonly #nextView = new DataView(this.#next.buffer);

  setKeys(words: Int32Array): void {
    expand(words, 0, this.#blockKeys);
    this.#tweakHash.setKey(words, 4);
    expand(words, 8, this.#streamKeys);
    this.#counterHash.setKey(words, 12);
  }

  decrypt(view: DataView, at: number, tweak: Int32Array, command: number): void {
    const word = (i: number) => view.getInt32(at + i, true);
    const { sum: counter } = this.#counterHash;
    this.#counterHash.reset();
    this.#counterHash.add(word(0), word(4), word(8), word(12));
    counter[3] = (counter[3] as number) & ~0x3f000000;
    // The last block goes three bytes beyond the cell, over what does not matter here.
    xorKeystream(this.#streamKeys, counter, 0, 31, view, at + 16);
    const hash = this.#tweakHash;
    hash.sum.fill(0);
    const [t0, t1, t2, t3] = tweak as unknown as [number, number, number, number];
    hash.add(t0, t1, t2, t3);
    hash.add((word(15) & ~255) | command, word(19), word(23), word(27));
    for (let i = 31; i < 495; i += 16) hash.add(word(i), word(i + 4), word(i + 8), word(i + 12));
    hash.add(word(495), word(499), word(503), word(507) & 0xffff);
    const block = this.#block;
    for (let i = 0; i < 4; i++) block[i] = word(4 * i) ^ (hash.sum[i] as number);
    decryptBlock(this.#blockKeys, block);
    for (let i = 0; i < 4; i++)
      view.setInt32(at + 4 * i, (block[i] as number) ^ (hash.sum[i] as number), true);
  }

  update(nonce: Int32Array): void {
    this.#next.fill(0);
    xorKeystream(this.#streamKeys, this.#counterHash.sum, 31, 5, this.#nextView, 0);
    this.setKeys(this.#next);
    for (let i = 0; i < 4; i++) nonce[i] = this.#next[16 + i] as number;
  }
}
