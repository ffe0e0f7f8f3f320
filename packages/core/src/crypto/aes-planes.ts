// Bit planes for AES (FIPS 197): where the bits of blocks stand, how they get there, and the linear layers of two blocks.
// Eight words hold two blocks: bit 8c + 4b + r of word i is bit i of the byte in row r, column c of block b.
// A column of a block is a word whose lowest byte is row 0, as a little-endian load gives it.

/** Bit i is set where multiplication by x (FIPS 197 4.2.1) adds the top bit to bit i. */
export const REDUCED = 0x1b;
/** The bits of row 0. */
const ROW_0 = 0x11111111;

/** All ones where bit `i` of `bits` is set, else zero. */
export function maskOf(bits: number, i: number): number {
  return -((bits >> i) & 1);
}

/** Turns bit j of each byte of word i into bit i of that byte of word j, in each group of eight words in [0, end). */
export function transposeBits(words: Int32Array, end: number): void {
  for (let at = 0; at < end; at += 8) {
    let a = words[at] as number;
    let b = words[at + 1] as number;
    let c = words[at + 2] as number;
    let d = words[at + 3] as number;
    let e = words[at + 4] as number;
    let f = words[at + 5] as number;
    let g = words[at + 6] as number;
    let h = words[at + 7] as number;
    let t = ((a >>> 4) ^ e) & 0x0f0f0f0f;
    e ^= t;
    a ^= t << 4;
    t = ((b >>> 4) ^ f) & 0x0f0f0f0f;
    f ^= t;
    b ^= t << 4;
    t = ((c >>> 4) ^ g) & 0x0f0f0f0f;
    g ^= t;
    c ^= t << 4;
    t = ((d >>> 4) ^ h) & 0x0f0f0f0f;
    h ^= t;
    d ^= t << 4;

    t = ((a >>> 2) ^ c) & 0x33333333;
    c ^= t;
    a ^= t << 2;
    t = ((b >>> 2) ^ d) & 0x33333333;
    d ^= t;
    b ^= t << 2;
    t = ((e >>> 2) ^ g) & 0x33333333;
    g ^= t;
    e ^= t << 2;
    t = ((f >>> 2) ^ h) & 0x33333333;
    h ^= t;
    f ^= t << 2;

    t = ((a >>> 1) ^ b) & 0x55555555;
    words[at] = a ^ (t << 1);
    words[at + 1] = b ^ t;
    t = ((c >>> 1) ^ d) & 0x55555555;
    words[at + 2] = c ^ (t << 1);
    words[at + 3] = d ^ t;
    t = ((e >>> 1) ^ f) & 0x55555555;
    words[at + 4] = e ^ (t << 1);
    words[at + 5] = f ^ t;
    t = ((g >>> 1) ^ h) & 0x55555555;
    words[at + 6] = g ^ (t << 1);
    words[at + 7] = h ^ t;
  }
}

/** Turns byte j of the i-th of four words, which stand `step` apart from `at`, into byte i of the j-th. */
export function transposeBytes(words: Int32Array, at: number, step: number): void {
  let a = words[at] as number;
  let b = words[at + step] as number;
  let c = words[at + 2 * step] as number;
  let d = words[at + 3 * step] as number;
  let t = ((a >>> 8) ^ b) & 0x00ff00ff;
  b ^= t;
  a ^= t << 8;
  t = ((c >>> 8) ^ d) & 0x00ff00ff;
  d ^= t;
  c ^= t << 8;
  t = ((a >>> 16) ^ c) & 0xffff;
  words[at] = a ^ (t << 16);
  words[at + 2 * step] = c ^ t;
  t = ((b >>> 16) ^ d) & 0xffff;
  words[at + step] = b ^ (t << 16);
  words[at + 3 * step] = d ^ t;
}

/** Two blocks, four columns each, to planes, in place. */
export function toPlanes(words: Int32Array): void {
  transposeBytes(words, 0, 1);
  transposeBytes(words, 4, 1);
  transposeBits(words, 8);
}

export function fromPlanes(planes: Int32Array): void {
  transposeBits(planes, 8);
  transposeBytes(planes, 0, 1);
  transposeBytes(planes, 4, 1);
}

/** AddRoundKey (FIPS 197 5.1.4). */
export function addRoundKey(planes: Int32Array, keys: Int32Array, at: number): void {
  for (let i = 0; i < 8; i++) planes[i] = (planes[i] as number) ^ (keys[at + i] as number);
}

/** ShiftRows (FIPS 197 5.1.2): row r moves r columns, which stand 8 bits apart. */
export function shiftRows(planes: Int32Array): void {
  for (let i = 0; i < 8; i++) {
    const x = planes[i] as number;
    const one = x & (ROW_0 << 1);
    const two = x & (ROW_0 << 2);
    const three = x & (ROW_0 << 3);
    planes[i] =
      (x & ROW_0) | (one >>> 8) | (one << 24) | (two >>> 16) | (two << 16) | (three >>> 24) | (three << 8);
  }
}

/** InvShiftRows (FIPS 197 5.3.1) of one plane. */
export function invShiftRows(x: number): number {
  const one = x & (ROW_0 << 1);
  const two = x & (ROW_0 << 2);
  const three = x & (ROW_0 << 3);
  return (x & ROW_0) | (one << 8) | (one >>> 24) | (two >>> 16) | (two << 16) | (three << 24) | (three >>> 8);
}

/** To each row the next one. */
export function nextRow(x: number): number {
  return ((x >>> 1) & 0x77777777) | ((x << 3) & 0x88888888);
}

/** To each row the one after the next. */
export function rowAfterNext(x: number): number {
  return ((x >>> 2) & 0x33333333) | ((x << 2) & 0xcccccccc);
}

/** MixColumns (FIPS 197 5.1.3): each byte becomes 2 (a + b) + b + c + d, where b, c and d are those of the rows below it. */
export function mixColumns(planes: Int32Array): void {
  const last = planes[7] as number;
  const top = last ^ nextRow(last);
  let lower = 0;
  for (let i = 0; i < 8; i++) {
    const a = planes[i] as number;
    const b = nextRow(a);
    const sum = a ^ b;
    planes[i] = b ^ rowAfterNext(sum) ^ lower ^ (top & maskOf(REDUCED, i));
    lower = sum;
  }
}
