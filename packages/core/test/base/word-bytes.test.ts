import { describe, expect, it } from "vitest";
import { WordBytes } from "../../src/base/word-bytes.ts";

describe("WordBytes", () => {
  it.each([
    [0, 0],
    [1, 4],
    [3, 4],
    [4, 4],
    [5, 8],
    [509, 512],
  ])("of %i bytes holds %i, all zero", (length, rounded) => {
    const { bytes, words, view } = new WordBytes(length);
    expect([bytes.length, words.byteLength, view.byteLength]).toEqual([rounded, rounded, rounded]);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it("shows one memory as bytes, as words and as big-endian values, each from the first byte on", () => {
    const { bytes, words, view } = new WordBytes(8);
    expect([bytes.byteOffset, words.byteOffset, view.byteOffset]).toEqual([0, 0, 0]);
    view.setUint32(4, 0x01020304);
    expect([...bytes]).toEqual([0, 0, 0, 0, 1, 2, 3, 4]);
    // As the machine has them: the same four bytes in its own order.
    expect(words[1]).toBe(new Int32Array(Uint8Array.of(1, 2, 3, 4).buffer)[0]);
    words[0] = -1;
    expect([...bytes.subarray(0, 4)]).toEqual([255, 255, 255, 255]);
    bytes[0] = 0x7f;
    expect(view.getInt32(0)).toBe(0x7fffffff);
  });

  it("shares its memory with no other", () => {
    const [one, other] = [new WordBytes(4), new WordBytes(4)];
    one.words[0] = -1;
    expect(other.words[0]).toBe(0);
    expect(one.bytes.buffer.byteLength).toBe(4);
  });
});
