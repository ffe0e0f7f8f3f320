import { afterEach, describe, expect, it, vi } from "vitest";
import { fillRandom, randomBytes, randomInt, randomUnit, shuffled } from "../../src/base/random.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Serves these pairs of 32-bit words, then fails. */
function serve(...words: readonly number[]): void {
  const left = [...words];
  vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
    const target = array as unknown as Uint32Array;
    for (let i = 0; i < target.length; i++) target[i] = left.shift() as number;
    return array;
  });
}

describe("randomBytes", () => {
  it("gives any length, beyond the platform's quota too", () => {
    expect(randomBytes(0)).toHaveLength(0);
    const large = randomBytes(200_000);
    for (let at = 0; at < large.length; at += 5000) {
      expect(large.subarray(at, at + 5000).some((byte) => byte !== 0)).toBe(true);
    }
  });
});

describe("fillRandom", () => {
  it("fills just its range, beyond the platform's quota too", () => {
    const target = new Uint8Array(200_020);
    fillRandom(target, 10, 200_010);
    expect(target.subarray(0, 10).every((byte) => byte === 0)).toBe(true);
    expect(target.subarray(200_010).every((byte) => byte === 0)).toBe(true);
    for (let at = 10; at < 200_010; at += 5000) {
      expect(target.subarray(at, at + 5000).some((byte) => byte !== 0)).toBe(true);
    }
    // Each byte is drawn: none stays what it was in a hundred fills.
    const seen = new Uint8Array(9);
    for (let i = 0; i < 100; i++) {
      fillRandom(target, 1, 10);
      for (let at = 0; at < 9; at++) seen[at] = (seen[at] as number) | (target[1 + at] as number);
    }
    expect([...seen]).toEqual(new Array(9).fill(255));
  });

  it("leaves an empty range alone", () => {
    const random = vi.spyOn(crypto, "getRandomValues");
    fillRandom(new Uint8Array(4), 2, 2);
    expect(random).not.toHaveBeenCalled();
  });
});

describe("randomInt", () => {
  it("stays in its range and reaches all of it", () => {
    const seen = new Set(Array.from({ length: 500 }, () => randomInt(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(randomInt(1)).toBe(0);
  });

  it("draws again where the remainder would favour small values", () => {
    // 2^53 mod 3 is 2: the last two of the 2^53 values are drawn again.
    serve(0xffffffff, 0xffffffff, 0xffffffff, 0xfffffffe, 0, 5);
    expect(randomInt(3)).toBe(2);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])("refuses %s", (below) => {
    expect(() => randomInt(below)).toThrow(RangeError);
  });
});

describe("randomUnit", () => {
  it("is at least 0 and below 1", () => {
    serve(0, 0, 0xffffffff, 0xffffffff, 0x80000000, 0);
    expect(randomUnit()).toBe(0);
    expect(randomUnit()).toBe(1 - 2 ** -53);
    expect(randomUnit()).toBe(0.5);
  });
});

describe("shuffled", () => {
  it("keeps the items and leaves its input alone", () => {
    const items = Array.from({ length: 50 }, (_, i) => i);
    const result = shuffled(items);
    expect(items).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(result).not.toEqual(items);
    expect([...result].sort((a, b) => a - b)).toEqual(items);
  });

  it("gives every order", () => {
    const seen = new Set(Array.from({ length: 500 }, () => shuffled([1, 2, 3]).join("")));
    expect(seen.size).toBe(6);
  });
});
