// What the two sources of keystream ask for, when, and what they leave behind.

import { afterEach, describe, expect, it, vi } from "vitest";
import { nodeCiphers } from "../../../bridge/src/node-ciphers.ts";
import type { Ciphers } from "../../src/base/ports.ts";
import { aesCtrKeystream } from "../../src/crypto/keystream.ts";
import {
  BULK_SEGMENT,
  byNode,
  LONGEST,
  SEGMENT,
  Through,
  watchWebCrypto,
  ZERO_COUNTER,
} from "./keystream-rig.ts";
import { pattern } from "./patterns.ts";

const KEY = pattern(16, 1);
const CELL = 509;

function opened() {
  const keystream = aesCtrKeystream(KEY, LONGEST);
  return { keystream, stream: new Through(keystream) };
}

const expected = (length: number) => byNode(KEY, ZERO_COUNTER, new Uint8Array(length));

afterEach(() => {
  vi.restoreAllMocks();
});

describe("WebCrypto ahead of need", () => {
  it("is asked for nothing before 16 cells, and then for two segments", async () => {
    const { lengths, settle } = watchWebCrypto();
    const { stream } = opened();
    stream.next(16 * CELL - 1);
    await settle();
    expect(lengths).toEqual([]);
    stream.next(1);
    await settle();
    // 16 cells end on a block's border, so that two segments are just what has to be ahead.
    expect(lengths).toEqual([SEGMENT, SEGMENT]);
    stream.next(1);
    await settle();
    expect(lengths).toEqual([SEGMENT, SEGMENT, SEGMENT]);
  });

  it("gives what is used from then on", async () => {
    const fake = (data: Uint8Array) => new Uint8Array(data.length).fill(0xaa).buffer;
    vi.spyOn(crypto.subtle, "encrypt").mockImplementation(async (_, __, data) => fake(data as Uint8Array));
    const { stream } = opened();
    expect(stream.next(8192)).toEqual(expected(8192));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(stream.next(10_000).every((byte) => byte === 0xaa)).toBe(true);
  });

  it("is the same cut in two at any place around a segment's border", async () => {
    const { lengths, settle } = watchWebCrypto();
    const warm = 16 * CELL;
    const end = warm + SEGMENT + 1000;
    const whole = expected(end);
    for (let cut = warm + SEGMENT - 34; cut <= warm + SEGMENT + 34; cut++) {
      const { stream } = opened();
      const data = new Uint8Array(end);
      stream.run(data, 0, warm);
      await settle();
      stream.run(data, warm, cut);
      stream.run(data, cut, cut + CELL);
      stream.run(data, cut + CELL, end);
      expect(Buffer.compare(data, whole), `cut at ${cut}`).toBe(0);
    }
    expect(lengths.length).toBeGreaterThanOrEqual(2 * 69);
  });

  it("is always two segments ahead, short ones first and then longer ones, without a gap", async () => {
    const { lengths, settle } = watchWebCrypto();
    const { stream } = opened();
    const data = new Uint8Array(24 * SEGMENT);
    let first: number | undefined;
    for (let at = 0; at < data.length; ) {
      const to = Math.min(at + 64 * CELL, data.length);
      stream.run(data, at, to, CELL);
      at = to;
      await settle();
      if (lengths.length === 0) continue;
      first ??= at - (at % 16);
      const ahead = first + lengths.reduce((sum, length) => sum + length, 0) - at;
      expect(ahead).toBeGreaterThanOrEqual(2 * SEGMENT - 16);
      expect(ahead).toBeLessThanOrEqual(2 * SEGMENT + (at < 16 * SEGMENT ? SEGMENT : BULK_SEGMENT));
    }
    const short = lengths.indexOf(BULK_SEGMENT);
    expect(lengths.slice(0, short)).toEqual(new Array(short).fill(SEGMENT));
    expect(lengths.slice(short)).toEqual(new Array(lengths.length - short).fill(BULK_SEGMENT));
    // All those that were asked for before 16 segments were used.
    expect(short).toBeGreaterThanOrEqual(17);
    expect(short).toBeLessThanOrEqual(19);
    expect(Buffer.compare(data, expected(data.length))).toBe(0);
  });

  it("is asked for no more than three segments at a time, however fast they are used", async () => {
    const importKey = vi.spyOn(crypto.subtle, "importKey");
    const { encrypt, settle } = watchWebCrypto();
    const { stream } = opened();
    for (let i = 0; i < 128 * 8; i++) stream.next(CELL);
    await settle();
    expect(importKey).toHaveBeenCalledTimes(1);
    expect(encrypt).toHaveBeenCalledTimes(3);
  });

  it("goes on after a burst that outran it", async () => {
    const { encrypt, settle } = watchWebCrypto();
    const { stream } = opened();
    const buffer = new Uint8Array(12 * SEGMENT);
    stream.run(buffer, 0, 9000);
    stream.run(buffer, 9000, 8 * SEGMENT, CELL);
    await settle();
    const before = encrypt.mock.calls.length;
    stream.run(buffer, 8 * SEGMENT, 8 * SEGMENT + CELL);
    await settle();
    expect(encrypt.mock.calls.length).toBe(before + 3);
    stream.run(buffer, 8 * SEGMENT + CELL);
    expect(Buffer.compare(buffer, expected(12 * SEGMENT))).toBe(0);
  });

  it("may refuse the key: the library serves", async () => {
    const { encrypt, settle } = watchWebCrypto();
    vi.spyOn(crypto.subtle, "importKey").mockRejectedValue(new Error("no"));
    const { stream } = opened();
    const buffer = new Uint8Array(2 * SEGMENT);
    for (let at = 0; at < buffer.length; at += 20_000) {
      stream.run(buffer, at, Math.min(at + 20_000, buffer.length));
      await settle();
    }
    expect(encrypt).not.toHaveBeenCalled();
    expect(Buffer.compare(buffer, expected(2 * SEGMENT))).toBe(0);
  });

  it("may fail now and then: the library serves in between", async () => {
    const { encrypt, settle } = watchWebCrypto();
    const works = encrypt.getMockImplementation() as typeof crypto.subtle.encrypt;
    let call = 0;
    encrypt.mockImplementation((...args) =>
      call++ % 2 === 0 ? Promise.reject(new Error("not now")) : works(...args),
    );
    const { stream } = opened();
    const buffer = new Uint8Array(6 * SEGMENT);
    for (let at = 0; at < buffer.length; at += 20_000) {
      stream.run(buffer, at, Math.min(at + 20_000, buffer.length));
      await settle();
    }
    expect(call).toBeGreaterThan(4);
    expect(Buffer.compare(buffer, expected(6 * SEGMENT))).toBe(0);
  });
});

describe("a segment that is used up", () => {
  it("is overwritten, whether it was used or came too late", async () => {
    const { produced, blank, settle } = watchWebCrypto();
    const { stream } = opened();
    const start = 9000 - (9000 % 16);
    stream.next(9000);
    stream.next(start + SEGMENT - 9000);
    await settle();
    expect([blank(), produced.length]).toEqual([1, 3]);
    stream.next(SEGMENT - 1);
    expect(blank()).toBe(1);
    stream.next(1);
    expect(blank()).toBe(2);
  });
});

describe("a rest", () => {
  it("overwrites what is ahead, and what is still to come", async () => {
    const { produced, blank, settle } = watchWebCrypto();
    const { keystream, stream } = opened();
    stream.next(9000);
    await settle();
    expect([blank(), produced.length]).toEqual([0, 3]);
    keystream.rest();
    expect(blank()).toBe(3);

    const other = opened();
    other.stream.next(9000);
    other.keystream.rest();
    await settle();
    expect([blank(), produced.length]).toEqual([6, 6]);
  });

  it("asks for nothing until 16 cells more were used", async () => {
    const { lengths, settle } = watchWebCrypto();
    const { keystream, stream } = opened();
    const data = new Uint8Array(3 * SEGMENT);
    stream.run(data, 0, 20_000);
    await settle();
    const before = lengths.length;
    keystream.rest();
    const warm = 20_000 + 16 * CELL;
    stream.run(data, 20_000, warm - 1, CELL);
    await settle();
    expect(lengths.length).toBe(before);
    stream.run(data, warm - 1, warm);
    await settle();
    expect(lengths.length).toBe(before + 2);
    stream.run(data, warm);
    expect(Buffer.compare(data, expected(data.length))).toBe(0);
  });

  it("lets only three requests be under way, those that it gave up among them", async () => {
    const { lengths, settle } = watchWebCrypto();
    const { keystream, stream } = opened();
    for (let i = 0; i < 4; i++) {
      stream.next(9000);
      keystream.rest();
    }
    await settle();
    expect(lengths.length).toBe(3);
  });
});

describe("a destroyed keystream", () => {
  it("overwrites segments that are held and segments that arrive afterwards", async () => {
    const { produced, blank, settle } = watchWebCrypto();
    const held = opened();
    held.stream.next(9000);
    await settle();
    expect([blank(), produced.length]).toEqual([0, 3]);
    held.keystream.destroy();
    expect(blank()).toBe(3);
    const late = opened();
    late.stream.next(9000);
    late.keystream.destroy();
    await settle();
    expect(produced.length).toBeGreaterThanOrEqual(3);
    expect(blank()).toBe(produced.length);
  });
});

describe("a platform's synchronous cipher", () => {
  /** The platform's cipher, with the blocks that it gave out. */
  function watched() {
    const given: Uint8Array[] = [];
    const { gcm, ctr } = nodeCiphers();
    const ciphers: Ciphers = {
      gcm,
      ctr(key, counter) {
        const cipher = ctr(key, counter);
        return {
          next(length) {
            const block = cipher.next(length);
            given.push(block);
            return block;
          },
        };
      },
    };
    const keystream = aesCtrKeystream(KEY, LONGEST, { ciphers });
    const blank = () => given.map((block) => block.every((byte) => byte === 0));
    return { given, blank, keystream, stream: new Through(keystream) };
  }
  const sizes = (given: readonly Uint8Array[]) => given.map(({ length }) => length / 1024);

  it("takes the place of WebCrypto and of the library", async () => {
    const { encrypt, settle } = watchWebCrypto();
    const importKey = vi.spyOn(crypto.subtle, "importKey");
    const { stream } = watched();
    expect(Buffer.compare(stream.next(3 * SEGMENT), expected(3 * SEGMENT))).toBe(0);
    await settle();
    expect(encrypt).not.toHaveBeenCalled();
    expect(importKey).not.toHaveBeenCalled();
  });

  it("is asked for nothing ahead of need, and for more at a time the more is used", () => {
    const { given, stream } = watched();
    expect(given).toEqual([]);
    stream.next(CELL);
    expect(sizes(given)).toEqual([2]);
    stream.next(2048 - CELL);
    expect(sizes(given)).toEqual([2]);
    stream.next(1);
    expect(sizes(given)).toEqual([2, 4]);
    stream.next(200_000);
    expect(sizes(given)).toEqual([2, 4, 8, 16, 32, 32, 32, 32, 32, 32]);
  });

  it("is asked for little again after a rest, which keeps what cannot be had again", () => {
    const { given, keystream, stream } = watched();
    const whole = new Uint8Array(20_000);
    stream.run(whole, 0, 7000);
    expect(sizes(given)).toEqual([2, 4, 8]);
    keystream.rest();
    stream.run(whole, 7000, 14 * 1024);
    expect(sizes(given)).toEqual([2, 4, 8]);
    stream.run(whole, 14 * 1024);
    expect(sizes(given)).toEqual([2, 4, 8, 2, 4]);
    expect(Buffer.compare(whole, expected(whole.length))).toBe(0);
  });

  it("has its blocks overwritten, when they are used up and when the keystream is destroyed", () => {
    const { blank, keystream, stream } = watched();
    stream.next(3000);
    expect(blank()).toEqual([true, false]);
    keystream.destroy();
    expect(blank()).toEqual([true, true]);
  });
});
