import { createCipheriv } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { AesCtrKeystream } from "../../src/crypto/keystream.ts";
import { generator, pattern, splits } from "./patterns.ts";
import { SP800_38A } from "./vectors.ts";

const CHUNK = 65_152;
const KEY = pattern(16, 1);

function reference(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv(`aes-${key.length * 8}-ctr`, key, iv).update(data));
}

/** Watches the calls that produce keystream; `settle()` waits until all of them have arrived where they belong. */
function watchWebCrypto() {
  const original = crypto.subtle.encrypt.bind(crypto.subtle);
  const pending: Promise<ArrayBuffer>[] = [];
  const produced: Uint8Array[] = [];
  const encrypt = vi.spyOn(crypto.subtle, "encrypt").mockImplementation((...args) => {
    const result = original(...args);
    pending.push(result);
    result.then((stream) => produced.push(new Uint8Array(stream)));
    return result;
  });
  return {
    encrypt,
    produced,
    async settle() {
      // Requests made but not yet at WebCrypto wait for the key's import.
      for (let before = -1; before !== pending.length; ) {
        before = pending.length;
        await new Promise((resolve) => setTimeout(resolve, 2));
        await Promise.all(pending);
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("an AES-CTR keystream", () => {
  it.each(SP800_38A.cases)("gives SP 800-38A's ciphertext ($key)", ({ key, ciphertext }) => {
    const buffer = fromHex(SP800_38A.plaintext);
    new AesCtrKeystream(fromHex(key), fromHex(SP800_38A.counter)).xor(buffer);
    expect(toHex(buffer)).toBe(ciphertext);
  });

  it("starts at a counter of zero unless told otherwise", () => {
    const buffer = new Uint8Array(40);
    new AesCtrKeystream(KEY).xor(buffer);
    expect(buffer).toEqual(reference(KEY, new Uint8Array(16), new Uint8Array(40)));
  });

  it.each([16, 32])(
    "is the same whatever the pieces, through all chunks, with a key of %i bytes",
    async (size) => {
      const key = pattern(size, 2);
      const data = pattern(5 * CHUNK + 777, 3);
      const expected = reference(key, pattern(16, 4), data);
      const { settle } = watchWebCrypto();
      for (let round = 0; round < 4; round++) {
        const next = generator(round);
        const keystream = new AesCtrKeystream(key, pattern(16, 4));
        // Every alignment of the buffer against the keystream.
        const room = new Uint8Array(data.length + 8);
        const buffer = room.subarray(round, round + data.length);
        buffer.set(data);
        for (const [from, to] of splits(data.length, [20, 1200, 5000, 100_000][round] as number, round)) {
          keystream.xor(buffer, from, to);
          if (next() < ([0.001, 0.05, 0.2, 0.8][round] as number)) await settle();
        }
        expect(Buffer.compare(buffer, expected)).toBe(0);
        expect(room.subarray(round + data.length).every((byte) => byte === 0)).toBe(true);
      }
    },
  );

  it("takes prefetched keystream once it is warm", async () => {
    const { encrypt, settle } = watchWebCrypto();
    const keystream = new AesCtrKeystream(KEY);
    const buffer = new Uint8Array(3 * CHUNK);
    keystream.xor(buffer, 0, 509);
    await settle();
    expect(encrypt).not.toHaveBeenCalled();
    keystream.xor(buffer, 509, 20_000);
    await settle();
    expect(encrypt).toHaveBeenCalledTimes(3);
    keystream.xor(buffer, 20_000, CHUNK);
    await settle();
    expect(encrypt).toHaveBeenCalledTimes(4);
    keystream.xor(buffer, CHUNK);
    expect(Buffer.compare(buffer, reference(KEY, new Uint8Array(16), new Uint8Array(3 * CHUNK)))).toBe(0);
  });

  it("asks for no more than three chunks at a time, however fast it is used", async () => {
    const importKey = vi.spyOn(crypto.subtle, "importKey");
    const { encrypt, settle } = watchWebCrypto();
    const keystream = new AesCtrKeystream(KEY);
    const buffer = new Uint8Array(509);
    for (let i = 0; i < 128 * 8; i++) keystream.xor(buffer);
    await settle();
    expect(importKey).toHaveBeenCalledTimes(1);
    expect(encrypt).toHaveBeenCalledTimes(3);
  });

  it("goes on with chunks after a burst that outran them", async () => {
    const { encrypt, settle } = watchWebCrypto();
    const keystream = new AesCtrKeystream(KEY);
    const buffer = new Uint8Array(12 * CHUNK);
    keystream.xor(buffer, 0, 9000);
    for (let at = 9000; at < 8 * CHUNK; at += 509) keystream.xor(buffer, at, Math.min(at + 509, 8 * CHUNK));
    await settle();
    const before = encrypt.mock.calls.length;
    keystream.xor(buffer, 8 * CHUNK, 8 * CHUNK + 509);
    await settle();
    expect(encrypt.mock.calls.length).toBe(before + 3);
    keystream.xor(buffer, 8 * CHUNK + 509);
    expect(Buffer.compare(buffer, reference(KEY, new Uint8Array(16), new Uint8Array(12 * CHUNK)))).toBe(0);
  });

  it("carries its counter through all 128 bits, and round at the end", async () => {
    const { settle } = watchWebCrypto();
    for (const iv of [
      "ffffffffffffffffffffffffffffffff",
      "00000000000000000000000000ffffff",
      "0000000000000000ffffffffffffff00",
      "fffffffffffffffffffffffffffff800",
    ]) {
      const keystream = new AesCtrKeystream(KEY, fromHex(iv));
      const buffer = new Uint8Array(3 * CHUNK);
      keystream.xor(buffer, 0, 7);
      keystream.xor(buffer, 7, 9000);
      await settle();
      for (let at = 9000; at < buffer.length; at += 509) {
        keystream.xor(buffer, at, Math.min(at + 509, buffer.length));
      }
      expect(Buffer.compare(buffer, reference(KEY, fromHex(iv), new Uint8Array(3 * CHUNK))), iv).toBe(0);
    }
  });

  it("serves synchronously where WebCrypto refuses", async () => {
    const { encrypt, settle } = watchWebCrypto();
    vi.spyOn(crypto.subtle, "importKey").mockRejectedValue(new Error("no"));
    const keystream = new AesCtrKeystream(KEY);
    const buffer = new Uint8Array(2 * CHUNK);
    for (let at = 0; at < buffer.length; at += 20_000) {
      keystream.xor(buffer, at, Math.min(at + 20_000, buffer.length));
      await settle();
    }
    expect(encrypt).not.toHaveBeenCalled();
    expect(Buffer.compare(buffer, reference(KEY, new Uint8Array(16), new Uint8Array(2 * CHUNK)))).toBe(0);
  });

  it("copies its key and counter", () => {
    const key = Buffer.from(KEY);
    const keystream = new AesCtrKeystream(key);
    key.fill(0);
    const buffer = new Uint8Array(32);
    keystream.xor(buffer);
    expect(buffer).toEqual(reference(KEY, new Uint8Array(16), new Uint8Array(32)));
  });
});

describe("a used-up chunk", () => {
  it("is overwritten, whether it was used or came too late", async () => {
    const { produced, settle } = watchWebCrypto();
    const keystream = new AesCtrKeystream(KEY);
    keystream.xor(new Uint8Array(9000));
    keystream.xor(new Uint8Array(CHUNK - 9000));
    await settle();
    const blank = () => produced.filter((stream) => stream.every((byte) => byte === 0)).length;
    expect([blank(), produced.length]).toEqual([1, 3]);
    keystream.xor(new Uint8Array(CHUNK));
    expect(blank()).toBe(2);
  });
});

describe("a destroyed keystream", () => {
  it("refuses to be used", () => {
    const keystream = new AesCtrKeystream(KEY);
    keystream.destroy();
    expect(() => keystream.xor(new Uint8Array(1))).toThrow(/destroyed/);
  });

  it("overwrites chunks that are held and chunks that arrive afterwards", async () => {
    const { produced, settle } = watchWebCrypto();
    const held = new AesCtrKeystream(KEY);
    held.xor(new Uint8Array(9000));
    await settle();
    expect(produced.every((stream) => stream.some((byte) => byte !== 0))).toBe(true);
    held.destroy();
    const late = new AesCtrKeystream(KEY);
    late.xor(new Uint8Array(9000));
    late.destroy();
    await settle();
    expect(produced.length).toBeGreaterThanOrEqual(3);
    expect(produced.every((stream) => stream.every((byte) => byte === 0))).toBe(true);
  });
});
