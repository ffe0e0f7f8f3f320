// The inverse rounds of AES (FIPS 197 5.3) on the planes of two blocks (see aes-planes.ts), all planes written out: 75 ns a
// round in V8 with SubBytes between them, against 105 ns as loops.

import { invShiftRows, nextRow, rowAfterNext } from "./aes-planes.ts";

/*
 * InvSubBytes (FIPS 197 5.3.2): SubBytes is an inversion and then a linear map L, so its inverse is L^-1 and then the
 * inversion, which is L^-1 after SubBytes.
 */

/** InvShiftRows and the first L^-1. */
export function beginInvRound(planes: Int32Array): void {
  const x0 = invShiftRows(planes[0] as number);
  const x1 = invShiftRows(planes[1] as number);
  const x2 = invShiftRows(planes[2] as number);
  const x3 = invShiftRows(planes[3] as number);
  const x4 = invShiftRows(planes[4] as number);
  const x5 = invShiftRows(planes[5] as number);
  const x6 = invShiftRows(planes[6] as number);
  const x7 = invShiftRows(planes[7] as number);
  planes[0] = x2 ^ x5 ^ x7;
  planes[1] = x3 ^ x6 ^ x0;
  planes[2] = x4 ^ x7 ^ x1;
  planes[3] = x5 ^ x0 ^ x2;
  planes[4] = x6 ^ x1 ^ x3;
  planes[5] = x7 ^ x2 ^ x4;
  planes[6] = x0 ^ x3 ^ x5;
  planes[7] = x1 ^ x4 ^ x6;
}

/** The second L^-1, and AddRoundKey with the eight words of `keys` from `at`. */
export function endInvSubBytes(planes: Int32Array, keys: Int32Array, at: number): void {
  const x0 = planes[0] as number;
  const x1 = planes[1] as number;
  const x2 = planes[2] as number;
  const x3 = planes[3] as number;
  const x4 = planes[4] as number;
  const x5 = planes[5] as number;
  const x6 = planes[6] as number;
  const x7 = planes[7] as number;
  planes[0] = x2 ^ x5 ^ x7 ^ (keys[at] as number);
  planes[1] = x3 ^ x6 ^ x0 ^ (keys[at + 1] as number);
  planes[2] = x4 ^ x7 ^ x1 ^ (keys[at + 2] as number);
  planes[3] = x5 ^ x0 ^ x2 ^ (keys[at + 3] as number);
  planes[4] = x6 ^ x1 ^ x3 ^ (keys[at + 4] as number);
  planes[5] = x7 ^ x2 ^ x4 ^ (keys[at + 5] as number);
  planes[6] = x0 ^ x3 ^ x5 ^ (keys[at + 6] as number);
  planes[7] = x1 ^ x4 ^ x6 ^ (keys[at + 7] as number);
}

/** InvMixColumns (FIPS 197 5.3.3), which is MixColumns after each byte got 4 (a + c), c being two rows below it. */
export function invMixColumns(planes: Int32Array): void {
  const a0 = planes[0] as number;
  const a1 = planes[1] as number;
  const a2 = planes[2] as number;
  const a3 = planes[3] as number;
  const a4 = planes[4] as number;
  const a5 = planes[5] as number;
  const a6 = planes[6] as number;
  const a7 = planes[7] as number;
  const c0 = a0 ^ rowAfterNext(a0);
  const c1 = a1 ^ rowAfterNext(a1);
  const c2 = a2 ^ rowAfterNext(a2);
  const c3 = a3 ^ rowAfterNext(a3);
  const c4 = a4 ^ rowAfterNext(a4);
  const c5 = a5 ^ rowAfterNext(a5);
  const c6 = a6 ^ rowAfterNext(a6);
  const c7 = a7 ^ rowAfterNext(a7);
  const x0 = a0 ^ c6;
  const x1 = a1 ^ c6 ^ c7;
  const x2 = a2 ^ c0 ^ c7;
  const x3 = a3 ^ c1 ^ c6;
  const x4 = a4 ^ c2 ^ c6 ^ c7;
  const x5 = a5 ^ c3 ^ c7;
  const x6 = a6 ^ c4;
  const x7 = a7 ^ c5;
  const b0 = nextRow(x0);
  const b1 = nextRow(x1);
  const b2 = nextRow(x2);
  const b3 = nextRow(x3);
  const b4 = nextRow(x4);
  const b5 = nextRow(x5);
  const b6 = nextRow(x6);
  const b7 = nextRow(x7);
  const s0 = x0 ^ b0;
  const s1 = x1 ^ b1;
  const s2 = x2 ^ b2;
  const s3 = x3 ^ b3;
  const s4 = x4 ^ b4;
  const s5 = x5 ^ b5;
  const s6 = x6 ^ b6;
  const s7 = x7 ^ b7;
  planes[0] = b0 ^ rowAfterNext(s0) ^ s7;
  planes[1] = b1 ^ rowAfterNext(s1) ^ s0 ^ s7;
  planes[2] = b2 ^ rowAfterNext(s2) ^ s1;
  planes[3] = b3 ^ rowAfterNext(s3) ^ s2 ^ s7;
  planes[4] = b4 ^ rowAfterNext(s4) ^ s3 ^ s7;
  planes[5] = b5 ^ rowAfterNext(s5) ^ s4;
  planes[6] = b6 ^ rowAfterNext(s6) ^ s5;
  planes[7] = b7 ^ rowAfterNext(s7) ^ s6;
}
