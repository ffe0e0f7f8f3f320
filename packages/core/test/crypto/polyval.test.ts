// POLYVAL: RFC 8452's values, and a plain reference in BigInt.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { Polyval } from "../../src/crypto/polyval.ts";

/** RFC 8452 appendix A: dot(a, b), and POLYVAL of two blocks; appendix C.1: authentication key, input and result. */
const RFC_8452 = [
  {
    key: "ff000000000000000000000000000000",
    input: "66e94bd4ef8a2c3b884cfa59ca342b2e",
    output: "ebe563401e7e91ea3ad6426b8140c394",
  },
  {
    key: "25629347589242761d31f826ba4b757b",
    input: "4f4f95668c83dfb6401762bb2d01a262d1a24ddd2721d006bbe45f20d3c9f362",
    output: "f7a3b47b846119fae5b7866cf5e5b77e",
  },
  {
    key: "d9b360279694941ac5dbc6987ada7377",
    input: "0100000000000000000000000000000000000000000000004000000000000000",
    output: "eb93b7740962c5e49d2a90a7dc5cec74",
  },
  {
    key: "d9b360279694941ac5dbc6987ada7377",
    input: "0100000000000000000000000000000000000000000000006000000000000000",
    output: "48eb6c6c5a2dbe4a1dde508fee06361b",
  },
  {
    key: "d9b360279694941ac5dbc6987ada7377",
    input: "0100000000000000000000000000000000000000000000008000000000000000",
    output: "20806c26e3c1de019e111255708031d6",
  },
  {
    key: "d9b360279694941ac5dbc6987ada7377",
    input:
      "0100000000000000000000000000000002000000000000000000000000000000" + "00000000000000000001000000000000",
    output: "ce6edc9a50b36d9a98986bbf6a261c3b",
  },
];

type Four = [number, number, number, number];

function wordsOf(bytes: Uint8Array): Int32Array {
  const view = new DataView(Uint8Array.from(bytes).buffer);
  return Int32Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(4 * i, true));
}

function sumOf(hash: Polyval): string {
  const view = new DataView(new ArrayBuffer(16));
  hash.sum.forEach((word, i) => {
    view.setInt32(4 * i, word, true);
  });
  return toHex(new Uint8Array(view.buffer));
}

function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`);
}

/** a * b * x^-128, a bit at a time. */
function dot(a: bigint, b: bigint): bigint {
  const modulus = (1n << 128n) | (1n << 127n) | (1n << 126n) | (1n << 121n) | 1n;
  let product = 0n;
  for (let i = 0n; i < 128n; i++) {
    if ((b >> i) & 1n) product ^= a;
    if (product & 1n) product ^= modulus;
    product >>= 1n;
  }
  return product;
}

function reference(key: Uint8Array, input: Uint8Array): string {
  let sum = 0n;
  for (let at = 0; at < input.length; at += 16)
    sum = dot(integer(key), sum ^ integer(input.subarray(at, at + 16)));
  return toHex(fromHex(sum.toString(16).padStart(32, "0")).reverse());
}

/** Takes `input` by pairs where `pairs` says so, otherwise block by block. */
function take(hash: Polyval, input: Uint8Array, pairs: boolean): void {
  const words = wordsOf(input);
  let at = 0;
  for (; pairs && at + 8 <= words.length; at += 8) {
    hash.addPair(...([...words.subarray(at, at + 8)] as [...Four, ...Four]));
  }
  for (; at < words.length; at += 4) hash.add(...([...words.subarray(at, at + 4)] as Four));
}

const block = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe("POLYVAL", () => {
  it.each(RFC_8452)("gives RFC 8452's $output", ({ key, input, output }) => {
    for (const pairs of [false, true]) {
      const hash = new Polyval();
      hash.setKey(wordsOf(fromHex(key)));
      take(hash, fromHex(input), pairs);
      expect(sumOf(hash)).toBe(output);
    }
    expect(reference(fromHex(key), fromHex(input))).toBe(output);
  });

  it("agrees with the reference for any key and blocks, singly and by pairs", () => {
    fc.assert(
      fc.property(block, fc.array(block, { maxLength: 7 }), (key, blocks) => {
        const input = Uint8Array.from(blocks.flatMap((bytes) => [...bytes]));
        for (const pairs of [false, true]) {
          const hash = new Polyval();
          hash.setKey(wordsOf(key));
          take(hash, input, pairs);
          expect(sumOf(hash)).toBe(reference(key, input));
        }
      }),
    );
  });

  it("multiplies every bit with every bit", () => {
    // Where integer products carry into the next place, or the reduction forgets one, some pair of bits shows it; so does
    // the product of all ones, in which most ones meet.
    const bit = (i: number) => Uint8Array.from({ length: 16 }, (_, j) => (j === i >> 3 ? 1 << (i & 7) : 0));
    const ones = new Uint8Array(16).fill(0xff);
    const operands = [ones, ...Array.from({ length: 128 }, (_, i) => bit(i))];
    for (const key of operands) {
      const hash = new Polyval();
      hash.setKey(wordsOf(key));
      for (const factor of operands) {
        hash.reset();
        take(hash, factor, false);
        const product = sumOf(hash);
        if (product !== reference(key, factor)) expect.fail(`${toHex(key)} * ${toHex(factor)} = ${product}`);
      }
    }
  });

  it("takes its key from where it is told, and begins anew with it", () => {
    const [{ key, input, output }] = RFC_8452.slice(1) as [(typeof RFC_8452)[number]];
    const hash = new Polyval();
    hash.setKey(Int32Array.of(1, 2, 3, 4));
    hash.add(5, 6, 7, 8);
    hash.setKey(Int32Array.of(9, ...wordsOf(fromHex(key)), 9), 1);
    expect(sumOf(hash)).toBe("0".repeat(32));
    take(hash, fromHex(input), true);
    expect(sumOf(hash)).toBe(output);
  });

  it("forgets key and sum when destroyed", () => {
    const hash = new Polyval();
    hash.setKey(Int32Array.of(1, 2, 3, 4));
    hash.add(5, 6, 7, 8);
    hash.destroy();
    expect(sumOf(hash)).toBe("0".repeat(32));
    hash.add(5, 6, 7, 8);
    expect(sumOf(hash)).toBe("0".repeat(32));
  });
});
