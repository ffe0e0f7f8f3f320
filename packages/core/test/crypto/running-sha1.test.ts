import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "../../src/base/encoding.ts";
import { RunningSha1, sha1 } from "../../src/crypto/hash.ts";
import { pattern, splits } from "./patterns.ts";

const reference = (bytes: Uint8Array) => createHash("sha1").update(bytes).digest("hex");
const digestOf = (bytes: Uint8Array) => {
  const running = new RunningSha1();
  running.update(bytes);
  return toHex(running.peek());
};

describe("the running SHA-1", () => {
  it("gives the digests of FIPS 180-4", () => {
    expect(toHex(new RunningSha1().peek())).toBe("da39a3ee5e6b4b0d3255bfef95601890afd80709");
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
      expect(toHex(running.peek())).toBe(reference(bytes));
    }
  });

  it("goes on after every peek as if it had not been read", () => {
    const bytes = pattern(2000, 3);
    const running = new RunningSha1();
    for (const [from, to] of splits(bytes.length, 70, 9)) {
      running.update(bytes, from, to);
      expect(toHex(running.peek())).toBe(reference(bytes.subarray(0, to)));
      expect(toHex(running.peek())).toBe(reference(bytes.subarray(0, to)));
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
        expect(toHex(running.peek())).toBe(reference(bytes.subarray(0, before)));
        running.update(bytes, before, 400);
        expect(toHex(running.peek())).toBe(reference(bytes));
      }
    }
  });

  it("clones into two that do not touch each other", () => {
    const bytes = pattern(200, 5);
    const one = new RunningSha1();
    one.update(bytes, 0, 100);
    const two = one.clone();
    one.update(bytes, 100, 200);
    expect(toHex(two.peek())).toBe(reference(bytes.subarray(0, 100)));
    expect(toHex(one.peek())).toBe(reference(bytes));
    two.update(utf8("other"));
    expect(toHex(one.peek())).toBe(reference(bytes));
  });

  it("agrees with the one-shot hash", () => {
    expect(digestOf(pattern(777, 6))).toBe(toHex(sha1(pattern(777, 6))));
  });
});
