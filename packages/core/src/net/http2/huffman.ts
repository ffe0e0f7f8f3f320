// HPACK's Huffman code (RFC 7541 5.2 and appendix B). It is canonical, so that the lengths of its codes are all of it.
// Only decoding: what we send is short, and one spelling of it is enough.

import { fromLatin1 } from "../../base/encoding.ts";

/** Bits of the code of each byte, then of the end of the string, as digits of base 36. */
const LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f565" +
  "65666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmp" +
  "qqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu";
const LONGEST = 30;
const END = 256;

/** For each length: its first code, how many there are, and where in SYMBOLS they begin. */
const { ROWS, SYMBOLS } = /* @__PURE__ */ makeTable();

function makeTable() {
  const lengths = Array.from(LENGTHS, (digit) => Number.parseInt(digit, 36));
  const symbols: number[] = [];
  const rows: { first: number; count: number; at: number }[] = [];
  let first = 0;
  for (let length = 0; length <= LONGEST; length++) {
    const at = symbols.length;
    lengths.forEach((of, symbol) => {
      if (of === length) symbols.push(symbol);
    });
    const count = symbols.length - at;
    rows.push({ first, count, at });
    first = (first + count) << 1;
  }
  return { ROWS: rows, SYMBOLS: symbols };
}

/** The text of a coded string, each char one byte; undefined where it is not one. */
export function huffmanDecode(coded: Uint8Array): string | undefined {
  // No code is shorter than five bits.
  const bytes = new Uint8Array(Math.floor((coded.length * 8) / 5));
  let size = 0;
  let code = 0;
  let length = 0;
  for (const byte of coded) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      const row = ROWS[++length];
      if (row === undefined) return undefined;
      const place = code - row.first;
      if (place >= row.count) continue;
      const symbol = SYMBOLS[row.at + place] as number;
      if (symbol === END) return undefined;
      bytes[size++] = symbol;
      code = length = 0;
    }
  }
  // Padding: fewer than eight bits, all of them ones.
  if (length > 7 || code !== (1 << length) - 1) return undefined;
  return fromLatin1(bytes.subarray(0, size));
}
