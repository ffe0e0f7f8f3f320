// AES without tables: FIPS 197 and SP 800-38A, Node's AES on random keys, and Wycheproof's AES-GCM put together from it.

import { createCipheriv, createDecipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, equalBytes } from "../../src/base/bytes.ts";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { AesPair } from "../../src/crypto/aes.ts";
import { AesCounter } from "../../src/crypto/aes-counter.ts";
import { Polyval } from "../../src/crypto/polyval.ts";
import { SP800_38A_ECB } from "./vectors.ts";
import { bytes, describeWycheproof } from "./wycheproof.ts";

/** FIPS 197 appendix B and C.1. */
const FIPS_197 = [
  {
    key: "2b7e151628aed2a6abf7158809cf4f3c",
    plaintext: "3243f6a8885a308d313198a2e0370734",
    ciphertext: "3925841d02dc09fbdc118597196a0b32",
  },
  {
    key: "000102030405060708090a0b0c0d0e0f",
    plaintext: "00112233445566778899aabbccddeeff",
    ciphertext: "69c4e0d86a7b0430d8cdb78070b4c55a",
  },
];

const block = fc.uint8Array({ minLength: 16, maxLength: 16 });

/** A copy as words, lowest byte first. */
function wordsOf(data: Uint8Array): Int32Array {
  const view = new DataView(Uint8Array.from(data).buffer);
  return Int32Array.from({ length: data.length / 4 }, (_, i) => view.getInt32(4 * i, true));
}

function bytesOf(words: Int32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, i) => {
    view.setInt32(4 * i, word, true);
  });
  return new Uint8Array(view.buffer);
}

function pairOf(first: Uint8Array, second: Uint8Array): AesPair {
  const pair = new AesPair();
  pair.setKeys(wordsOf(concat(first, second)));
  return pair;
}

function encrypted(pair: AesPair, data: Uint8Array): Uint8Array {
  const words = wordsOf(data);
  pair.encrypt(words);
  return bytesOf(words);
}

function decrypted(pair: AesPair, data: Uint8Array): Uint8Array {
  const words = wordsOf(data);
  pair.decrypt(words);
  return bytesOf(words);
}

function nodeEncrypted(key: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv("aes-128-ecb", key, null).setAutoPadding(false).update(data));
}

function nodeDecrypted(key: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false).update(data));
}

/** The 40 blocks of keystream under `key` from a counter whose low six bits are zero. */
function keystream(key: Uint8Array, counter: Uint8Array): Uint8Array {
  const aes = new AesCounter(pairOf(new Uint8Array(16), key));
  aes.rekey();
  aes.start(wordsOf(counter));
  const words = new Int32Array(160);
  for (let group = 0; group < 5; group++) {
    const blocks = aes.blocks(group);
    for (let i = 0; i < 32; i++) words[32 * group + i] = blocks[8 * (i & 3) + (i >> 2)] as number;
  }
  return bytesOf(words);
}

function nodeKeystream(key: Uint8Array, counter: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv("aes-128-ctr", key, counter).update(new Uint8Array(640)));
}

describe("a pair of AES-128 keys", () => {
  it.each(FIPS_197)("gives FIPS 197's ciphertext and takes it back, as either key ($key)", (vector) => {
    const key = fromHex(vector.key);
    const other = new Uint8Array(16).fill(0xa5);
    const plaintext = fromHex(vector.plaintext);
    const first = encrypted(pairOf(key, other), concat(plaintext, other));
    const second = encrypted(pairOf(other, key), concat(other, plaintext));
    expect(toHex(first.subarray(0, 16))).toBe(vector.ciphertext);
    expect(toHex(second.subarray(16))).toBe(vector.ciphertext);
    expect(decrypted(pairOf(key, other), first)).toEqual(concat(plaintext, other));
    expect(decrypted(pairOf(other, key), second)).toEqual(concat(other, plaintext));
  });

  it.each(SP800_38A_ECB.blocks)("gives SP 800-38A F.1.1's ciphertext (%s)", (plaintext, ciphertext) => {
    const key = fromHex(SP800_38A_ECB.key);
    const pair = pairOf(key, key);
    expect(toHex(encrypted(pair, fromHex(plaintext + plaintext)))).toBe(ciphertext + ciphertext);
    expect(toHex(decrypted(pair, fromHex(ciphertext + ciphertext)))).toBe(plaintext + plaintext);
  });

  it("agrees with Node's AES, each block under its own key", () => {
    fc.assert(
      fc.property(block, block, block, block, (k1, k2, x1, x2) => {
        const pair = pairOf(k1, k2);
        const both = concat(x1, x2);
        expect(encrypted(pair, both)).toEqual(concat(nodeEncrypted(k1, x1), nodeEncrypted(k2, x2)));
        expect(decrypted(pair, both)).toEqual(concat(nodeDecrypted(k1, x1), nodeDecrypted(k2, x2)));
      }),
    );
  });

  it("takes every byte through the S-box and back", () => {
    const key = new Uint8Array(16);
    for (let x = 0; x < 256; x += 2) {
      const data = concat(new Uint8Array(16).fill(x), new Uint8Array(16).fill(x + 1));
      const expected = nodeEncrypted(key, data);
      expect(encrypted(pairOf(key, key), data)).toEqual(expected);
      expect(decrypted(pairOf(key, key), expected)).toEqual(data);
    }
  });

  it("takes new keys in place of the old", () => {
    const [k1, k2, x] = [11, 22, 33].map((value) => new Uint8Array(16).fill(value)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const pair = pairOf(k1, k1);
    encrypted(pair, concat(x, x));
    pair.setKeys(wordsOf(concat(k2, k1)));
    expect(encrypted(pair, concat(x, x))).toEqual(concat(nodeEncrypted(k2, x), nodeEncrypted(k1, x)));
  });

  it("overwrites its keys when destroyed", () => {
    const pair = pairOf(new Uint8Array(16).fill(7), new Uint8Array(16).fill(9));
    expect(pair.roundKeys.every((word) => word === 0)).toBe(false);
    pair.destroy();
    expect(pair.roundKeys.every((word) => word === 0)).toBe(true);
  });
});

describe("AES-128 in counter mode", () => {
  it("encrypts SP 800-38A's plaintexts where they are counters within reach", () => {
    // Those of its CTR examples (F.5) end in ff, and ours count from 0 to 39 in the last six bits.
    const key = fromHex(SP800_38A_ECB.key);
    const reached = SP800_38A_ECB.blocks.filter(([plaintext, ciphertext]) => {
      const counter = fromHex(plaintext);
      const number = (counter[15] as number) & 63;
      if (number >= 40) return false;
      counter[15] = (counter[15] as number) & 0xc0;
      const output = keystream(key, counter).subarray(16 * number, 16 * number + 16);
      expect(toHex(output)).toBe(ciphertext);
      return true;
    });
    expect(reached.length).toBe(2);
  });

  it("agrees with Node's for any key and counter", () => {
    fc.assert(
      fc.property(block, block, (key, counter) => {
        counter[15] = (counter[15] as number) & 0xc0;
        expect(keystream(key, counter)).toEqual(nodeKeystream(key, counter));
      }),
    );
  });

  it("counts in the last byte alone, whatever stands before it", () => {
    const key = new Uint8Array(16).fill(1);
    for (const last of [0x00, 0x40, 0x80, 0xc0]) {
      const counter = new Uint8Array(16).fill(0xff);
      counter[15] = last;
      expect(keystream(key, counter)).toEqual(nodeKeystream(key, counter));
    }
  });

  it("gives any group at any time, and follows new keys", () => {
    const pair = pairOf(new Uint8Array(16), new Uint8Array(16).fill(3));
    const counter = new Uint8Array(16).fill(0x80);
    const aes = new AesCounter(pair);
    for (const value of [3, 4]) {
      const key = new Uint8Array(16).fill(value);
      pair.setKeys(wordsOf(concat(new Uint8Array(16), key)));
      aes.rekey();
      aes.start(wordsOf(counter));
      const expected = nodeKeystream(key, counter);
      for (const group of [4, 0, 3, 3, 1]) {
        const blocks = aes.blocks(group);
        const words = Int32Array.from({ length: 32 }, (_, i) => blocks[8 * (i & 3) + (i >> 2)] as number);
        expect(bytesOf(words)).toEqual(expected.subarray(128 * group, 128 * group + 128));
      }
    }
  });
});

/** GHASH by POLYVAL (RFC 8452 A): both with their bytes in reverse, the key times x. */
function ghash(h: Uint8Array, data: Uint8Array): Uint8Array {
  const [a, b, c, d] = wordsOf(h.slice().reverse()) as unknown as [number, number, number, number];
  // x^128 = x^127 + x^126 + x^121 + 1.
  const top = d >> 31;
  const hash = new Polyval();
  hash.setKey(
    Int32Array.of(
      (a << 1) ^ (top & 1),
      (b << 1) | (a >>> 31),
      (c << 1) | (b >>> 31),
      (d << 1) ^ (c >>> 31) ^ (top & 0xc2000000),
    ),
  );
  for (let at = 0; at < data.length; at += 16) {
    const [e, f, g, i] = wordsOf(data.slice(at, at + 16).reverse()) as unknown as [
      number,
      number,
      number,
      number,
    ];
    hash.add(e, f, g, i);
  }
  return bytesOf(hash.sum).reverse();
}

function padded(data: Uint8Array): Uint8Array {
  return concat(data, new Uint8Array(-data.length & 15));
}

/** The tag of AES-128-GCM with a nonce of 96 bits (NIST SP 800-38D 7), and the keystream. */
function gcm(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array) {
  const stream = keystream(key, concat(iv, new Uint8Array(4)));
  const h = encrypted(pairOf(key, key), new Uint8Array(32)).subarray(0, 16);
  const lengths = new DataView(new ArrayBuffer(16));
  lengths.setUint32(4, 8 * aad.length);
  lengths.setUint32(12, 8 * ciphertext.length);
  const sum = ghash(h, concat(padded(aad), padded(ciphertext), new Uint8Array(lengths.buffer)));
  const xor = (x: Uint8Array, from: number) => x.map((byte, i) => byte ^ (stream[from + i] as number));
  return { tag: xor(sum, 16), plaintext: xor(ciphertext, 32) };
}

describeWycheproof("aes_gcm_test.json", (groups) => {
  it("AES-GCM of our AES and POLYVAL takes what is valid and nothing else", () => {
    let checked = 0;
    for (const group of groups()) {
      if (group.keySize !== 128 || group.ivSize !== 96 || group.tagSize !== 128) continue;
      for (const test of group.tests) {
        const ciphertext = bytes(test.ct);
        if (ciphertext.length > 38 * 16) continue;
        const { tag, plaintext } = gcm(bytes(test.key), bytes(test.iv), bytes(test.aad), ciphertext);
        const valid = equalBytes(tag, bytes(test.tag));
        expect(valid, `test ${test.tcId}`).toBe(test.result === "valid");
        if (valid) expect(toHex(plaintext), `test ${test.tcId}`).toBe(test.msg);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(50);
  });
});
