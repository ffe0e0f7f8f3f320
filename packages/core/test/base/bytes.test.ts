import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allZero, concat, equalBytes, Reader, Writer } from "../../src/base/bytes.ts";
import { TorError } from "../../src/base/errors.ts";

const of = (...bytes: number[]) => Uint8Array.from(bytes);

describe("Reader", () => {
  it("reads big-endian numbers of every size", () => {
    const reader = new Reader(of(1, 2, 3, 4, 5, 6, 255, 255, 255, 255, 0xff, 2, 3, 4, 5, 6, 7, 8));
    expect([reader.u8(), reader.u16(), reader.u24(), reader.u32()]).toEqual([
      1, 0x0203, 0x040506, 0xffffffff,
    ]);
    expect(reader.u64()).toBe(0xff02030405060708n);
    expect(reader.offset).toBe(18);
    reader.end();
  });

  it("takes slices, vectors and the rest", () => {
    const reader = new Reader(of(9, 8, 2, 7, 6, 0, 1, 5, 4, 3));
    expect(reader.take(2)).toEqual(of(9, 8));
    expect(reader.vector(1)).toEqual(of(7, 6));
    expect(reader.vector(2)).toEqual(of(5));
    expect(reader.remaining).toBe(2);
    expect(reader.rest()).toEqual(of(4, 3));
    expect(reader.rest()).toHaveLength(0);
  });

  it("refuses to read beyond the end, and stays where it was", () => {
    const reader = new Reader(of(0, 5, 1));
    expect(() => reader.u32()).toThrow(TorError);
    expect(() => reader.take(4)).toThrow(/ends after 3 bytes where 4 are needed/);
    expect(() => reader.take(-1)).toThrow(TorError);
    expect(reader.u8()).toBe(0);
    expect(() => reader.vector(1)).toThrow(expect.objectContaining({ code: "ALLIUM_E_MALFORMED" }));
  });

  it("refuses bytes left over", () => {
    expect(() => new Reader(of(1)).end()).toThrow(/1 unexpected bytes/);
  });

  it("throws what its owner wants", () => {
    const fail = (message: string) => new TorError("limit", "ALLIUM_E_TEST", message);
    expect(() => new Reader(of(), fail).u8()).toThrow(expect.objectContaining({ kind: "limit" }));
  });

  it("stays within a view on a larger buffer", () => {
    const view = of(1, 2, 3, 4).subarray(1, 3);
    const reader = new Reader(view);
    expect(reader.u16()).toBe(0x0203);
    expect(() => reader.u8()).toThrow(TorError);
  });
});

describe("Writer", () => {
  it("writes what a Reader reads", () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.nat(65535),
        fc.nat(0xffffff),
        fc.nat(0xffffffff),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.uint8Array({ maxLength: 300 }),
        (a, b, c, d, e, bytes) => {
          const writer = new Writer(1)
            .u8(a)
            .u16(b)
            .u24(c)
            .u32(d)
            .u64(e)
            .vector(2, bytes)
            .bytes(bytes)
            .zeros(3);
          const reader = new Reader(writer.finish());
          expect(reader.remaining).toBe(writer.length);
          expect([reader.u8(), reader.u16(), reader.u24(), reader.u32()]).toEqual([a, b, c, d]);
          expect(reader.u64()).toBe(e);
          expect(reader.vector(2)).toEqual(bytes);
          expect(reader.take(bytes.length)).toEqual(bytes);
          expect(reader.rest()).toEqual(new Uint8Array(3));
        },
      ),
      { seed: 1 },
    );
  });

  it("refuses numbers that do not fit", () => {
    const writer = new Writer();
    for (const write of [
      () => writer.u8(256),
      () => writer.u8(-1),
      () => writer.u8(0.5),
      () => writer.u16(65536),
      () => writer.u24(2 ** 24),
      () => writer.u32(2 ** 32),
      () => writer.vector(1, new Uint8Array(256)),
    ]) {
      expect(write).toThrow(RangeError);
    }
    expect(writer.length).toBe(0);
  });

  it("hands out copies", () => {
    const writer = new Writer().u8(1);
    const first = writer.finish();
    writer.u8(2);
    first[0] = 9;
    expect(writer.finish()).toEqual(of(1, 2));
  });
});

describe("byte helpers", () => {
  it("concat joins in order", () => {
    expect(concat()).toHaveLength(0);
    expect(concat(of(1), of(), of(2, 3))).toEqual(of(1, 2, 3));
  });

  it("equalBytes sees any difference of content or length", () => {
    expect(equalBytes(of(1, 2), of(1, 2))).toBe(true);
    expect(equalBytes(of(), of())).toBe(true);
    expect(equalBytes(of(1, 2), of(1, 3))).toBe(false);
    expect(equalBytes(of(1, 2), of(3, 2))).toBe(false);
    expect(equalBytes(of(1, 2), of(1, 2, 0))).toBe(false);
    expect(equalBytes(of(1, 2), of(1))).toBe(false);
  });

  it("allZero sees any bit", () => {
    expect(allZero(new Uint8Array(32))).toBe(true);
    for (let i = 0; i < 32; i++) {
      const bytes = new Uint8Array(32);
      bytes[i] = 1 << (i & 7);
      expect(allZero(bytes)).toBe(false);
    }
  });
});
