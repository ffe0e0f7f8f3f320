// AES-CTR keystreams, from whichever source their bytes come: the same bytes, however they are asked for.

import { afterEach, describe, expect, it, vi } from "vitest";
import { nodeCiphers } from "../../../bridge/src/node-ciphers.ts";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { WordBytes } from "../../src/base/word-bytes.ts";
import { aesCtrKeystream, type KeystreamOptions } from "../../src/crypto/keystream.ts";
import {
  byNode,
  byWebCrypto,
  LONGEST,
  SEGMENT,
  Through,
  watchWebCrypto,
  ZERO_COUNTER,
} from "./keystream-rig.ts";
import { generator, pattern, splits } from "./patterns.ts";
import { SP800_38A } from "./vectors.ts";

const KEY = pattern(16, 1);

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each([
  ["by WebCrypto ahead of need", undefined],
  ["by a platform's synchronous cipher", nodeCiphers()],
])("an AES-CTR keystream %s", (_, ciphers) => {
  const open = (key: Uint8Array, options: KeystreamOptions = {}) =>
    aesCtrKeystream(key, LONGEST, { ...options, ciphers });
  const through = (key: Uint8Array, options: KeystreamOptions = {}) => new Through(open(key, options));

  it.each(SP800_38A.cases)("gives SP 800-38A's ciphertext ($key)", ({ key, ciphertext }) => {
    const buffer = fromHex(SP800_38A.plaintext);
    through(fromHex(key), { counter: fromHex(SP800_38A.counter) }).run(buffer);
    expect(toHex(buffer)).toBe(ciphertext);
  });

  it("starts at a counter of zero unless told otherwise", () => {
    expect(through(KEY).next(40)).toEqual(byNode(KEY, ZERO_COUNTER, new Uint8Array(40)));
  });

  it.each([16, 32])(
    "is the same whatever the pieces, through all segments, with a key of %i bytes",
    async (size) => {
      const key = pattern(size, 2);
      const counter = pattern(16, 4);
      const data = pattern(5 * SEGMENT + 777, 3);
      const expected = byNode(key, counter, data);
      expect(Buffer.compare(expected, await byWebCrypto(key, counter, data))).toBe(0);
      const { settle } = watchWebCrypto();
      for (let round = 0; round < 4; round++) {
        const next = generator(round);
        const stream = through(key, { counter });
        const buffer = data.slice();
        for (const [from, to] of splits(data.length, [20, 1200, 5000, LONGEST][round] as number, round)) {
          stream.piece(buffer, from, to);
          if (next() < ([0.001, 0.05, 0.2, 0.8][round] as number)) await settle();
        }
        expect(Buffer.compare(buffer, expected)).toBe(0);
      }
    },
  );

  it("is the same cut in two at any one place", async () => {
    const length = 4200;
    const counter = fromHex("ffffffffffffffffffffffffffffff80");
    const expected = byNode(KEY, counter, new Uint8Array(length));
    expect(await byWebCrypto(KEY, counter, new Uint8Array(length))).toEqual(expected);
    for (let cut = 0; cut <= length; cut++) {
      const stream = through(KEY, { counter });
      const whole = new Uint8Array(length);
      stream.piece(whole, 0, cut);
      stream.piece(whole, cut, length);
      expect(Buffer.compare(whole, expected), `cut at ${cut}`).toBe(0);
    }
  });

  it("carries its counter through all 128 bits, and round at the end", async () => {
    const { settle } = watchWebCrypto();
    for (const iv of [
      "ffffffffffffffffffffffffffffffff",
      "00000000000000000000000000ffffff",
      "0000000000000000ffffffffffffff00",
      "fffffffffffffffffffffffffffff800",
    ]) {
      const stream = through(KEY, { counter: fromHex(iv) });
      const buffer = new Uint8Array(3 * SEGMENT);
      stream.run(buffer, 0, 7);
      stream.run(buffer, 7, 9000);
      await settle();
      stream.run(buffer, 9000, buffer.length, 509);
      expect(Buffer.compare(buffer, byNode(KEY, fromHex(iv), new Uint8Array(3 * SEGMENT))), iv).toBe(0);
    }
  });

  it("goes on where it stood after a rest, at any place", async () => {
    const { settle } = watchWebCrypto();
    const data = new Uint8Array(3 * SEGMENT);
    const keystream = open(KEY);
    const stream = new Through(keystream);
    const next = generator(5);
    for (const [from, to] of splits(data.length, 6000, 5)) {
      stream.piece(data, from, to);
      if (next() < 0.3) await settle();
      if (next() < 0.3) keystream.rest();
    }
    expect(Buffer.compare(data, byNode(KEY, ZERO_COUNTER, new Uint8Array(data.length)))).toBe(0);
  });

  it("copies its key and counter", async () => {
    const { settle } = watchWebCrypto();
    const [key, counter] = [Buffer.from(KEY), Buffer.from(pattern(16, 9))];
    const stream = through(key, { counter });
    key.fill(0);
    counter.fill(0);
    const buffer = new Uint8Array(20_000);
    stream.run(buffer, 0, 10_000);
    await settle();
    stream.run(buffer, 10_000);
    expect(Buffer.compare(buffer, byNode(KEY, pattern(16, 9), new Uint8Array(20_000)))).toBe(0);
  });

  it("touches nothing behind the last byte's word", () => {
    const target = new WordBytes(1024);
    target.bytes.fill(0xee);
    open(KEY).xor(target, 509);
    expect(target.bytes.subarray(512).every((byte) => byte === 0xee)).toBe(true);
    const expected = byNode(KEY, ZERO_COUNTER, new Uint8Array(509).fill(0xee));
    expect(target.bytes.subarray(0, 509)).toEqual(expected);
  });

  it("does nothing for no bytes", () => {
    const stream = through(KEY);
    const target = new WordBytes(4);
    target.bytes.fill(7);
    open(KEY).xor(target, 0);
    expect([...target.bytes]).toEqual([7, 7, 7, 7]);
    stream.next(0);
    expect(stream.next(16)).toEqual(byNode(KEY, ZERO_COUNTER, new Uint8Array(16)));
  });

  it("refuses to be used once it is destroyed", () => {
    const keystream = open(KEY);
    keystream.xor(new WordBytes(509), 509);
    keystream.destroy();
    const target = new WordBytes(4);
    expect(() => keystream.xor(target, 1)).toThrow(/destroyed/);
    expect([...target.bytes]).toEqual([0, 0, 0, 0]);
    keystream.rest();
    keystream.destroy();
  });
});
