import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "../../src/base/encoding.ts";
import { digestBytes, RunningSha1, sha1 } from "../../src/crypto/hash.ts";
import { pattern, splits } from "./patterns.ts";

const reference = (bytes: Uint8Array) => createHash("sha1").update(bytes).digest("hex");
const digest = (running: RunningSha1) => toHex(digestBytes(running.peek()));
const digestOf = (bytes: Uint8Array) => {
  const running = new RunningSha1();
  running.update(bytes);
  return digest(running);
};

describe("the running SHA-1", () => {
  it("gives the digests of FIPS 180-4", () => {
    expect(digest(new RunningSha1())).toBe("da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect(digestOf(utf8("abc"))).toBe("a9993e364706816aba3e25717850c26c9cd0d89d");
    expect(digestOf(utf8("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))).toBe(
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    );
    expect(digestOf(new Uint8Array(1_000_000).fill(0x61))).toBe("34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  });

  it("agrees with another implementation at every length around the block borders", () => {
    const bytes = pattern(300, 1);
    for (let length = 0; length <= 300; length++) {
      expect(digestOf(bytes.subarray(0, length))).toBe(reference(bytes.subarray(0, length)));
    }
  });

  it("does not depend on how the bytes are split, nor on where they stand in their buffer", () => {
    const bytes = pattern(5000, 2);
    for (let round = 0; round < 50; round++) {
      const running = new RunningSha1();
      for (const [from, to] of splits(bytes.length, 300, round)) {
        const shifted = new Uint8Array(bytes.length + 5);
        shifted.set(bytes, round % 5);
        running.update(shifted.subarray(round % 5), from, to);
      }
      expect(digest(running)).toBe(reference(bytes));
    }
  });

  it("goes on after every peek as if it had not been read", () => {
    const bytes = pattern(2000, 3);
    const running = new RunningSha1();
    for (const [from, to] of splits(bytes.length, 70, 9)) {
      running.update(bytes, from, to);
      expect(digest(running)).toBe(reference(bytes.subarray(0, to)));
      expect(digest(running)).toBe(reference(bytes.subarray(0, to)));
    }
  });

  it("undoes updates since the checkpoint, with any number of pending bytes", () => {
    const bytes = pattern(400, 4);
    for (let before = 0; before < 130; before += 7) {
      for (const extra of [0, 1, 63, 64, 200]) {
        const running = new RunningSha1();
        running.update(bytes, 0, before);
        running.checkpoint();
        running.update(bytes, before, before + extra);
        running.peek();
        running.rollback();
        expect(digest(running)).toBe(reference(bytes.subarray(0, before)));
        running.update(bytes, before, 400);
        expect(digest(running)).toBe(reference(bytes));
      }
    }
  });

  it("gives the digest as five words, in one array that every peek uses again", () => {
    const running = new RunningSha1();
    running.update(utf8("abc"));
    const words = running.peek();
    expect([...words].map((word) => word >>> 0)).toEqual([
      0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c, 0x9cd0d89d,
    ]);
    const kept = digestBytes(words);
    running.update(utf8("d"));
    expect(running.peek()).toBe(words);
    expect(toHex(digestBytes(words))).toBe(reference(utf8("abcd")));
    expect(toHex(kept)).toBe(reference(utf8("abc")));
  });

  it("two that are used in turn do not touch each other", () => {
    const bytes = pattern(400, 5);
    const [one, two] = [new RunningSha1(), new RunningSha1()];
    const [first, second] = [one.peek(), two.peek()];
    for (let at = 0; at < 200; at += 10) {
      one.update(bytes, at, at + 10);
      two.update(bytes, at + 200, at + 210);
      one.peek();
      two.checkpoint();
    }
    expect(first).not.toBe(second);
    expect(digest(one)).toBe(reference(bytes.subarray(0, 200)));
    expect(digest(two)).toBe(reference(bytes.subarray(200)));
  });

  it("reads by a view of the same memory, where one is given", () => {
    const room = pattern(600, 7);
    const view = new DataView(room.buffer);
    for (const [from, to] of [
      [0, 509],
      [3, 600],
      [64, 64],
      [1, 130],
    ] as const) {
      const running = new RunningSha1();
      running.update(room, from, to, view);
      expect(digest(running)).toBe(reference(room.subarray(from, to)));
      running.update(room, from, to, view);
      const twice = Buffer.concat([room.subarray(from, to), room.subarray(from, to)]);
      expect(digest(running)).toBe(reference(twice));
    }
  });

  it("agrees with the one-shot hash", () => {
    expect(digestOf(pattern(777, 6))).toBe(toHex(sha1(pattern(777, 6))));
  });
});

it("tells nothing of what it had taken in once it is destroyed", () => {
  const left = (fill: number) => {
    const digest = new RunningSha1();
    digest.update(new Uint8Array(100).fill(fill));
    digest.checkpoint();
    digest.update(new Uint8Array(7).fill(fill));
    digest.destroy();
    const after = digestBytes(digest.peek());
    digest.rollback();
    return [after, digestBytes(digest.peek())];
  };
  expect(left(1)).toEqual(left(2));
});
