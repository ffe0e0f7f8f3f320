import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { bigintToBytes, bytesToBigint, DER, DerReader } from "../../src/crypto/der.ts";

const read = (hex: string) => new DerReader(fromHex(hex));
const REFUSED = expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_DER" });

describe("the DER reader", () => {
  it("reads elements with their contents and their raw form", () => {
    const reader = read("30060201050401ff0500");
    const element = reader.read(DER.sequence);
    expect(toHex(element.contents)).toBe("0201050401ff");
    expect(toHex(element.raw)).toBe("30060201050401ff");
    expect(reader.atEnd).toBe(false);
    expect(reader.peekTag()).toBe(DER.null);
    expect(reader.readOptional(DER.integer)).toBeUndefined();
    expect(reader.readOptional(DER.null)?.contents).toHaveLength(0);
    expect(reader.peekTag()).toBeUndefined();
    reader.end();
  });

  it("enters nested elements", () => {
    const inner = read("3005a103020105").enter().enter(0xa1);
    expect(inner.unsigned()).toBe(5n);
    inner.end();
  });

  it("reads lengths of one to three bytes in their shortest form", () => {
    for (const [length, prefix] of [
      [0, "00"],
      [127, "7f"],
      [128, "8180"],
      [255, "81ff"],
      [256, "820100"],
      [65536, "83010000"],
    ] as const) {
      expect(read(`04${prefix}${"00".repeat(length)}`).read().contents).toHaveLength(length);
    }
  });

  it.each([
    ["an indefinite length", "3080020105 0000"],
    ["a long form for a short length", "048105 0000000000"],
    ["a needless zero in a length", `04820080${"00".repeat(128)}`],
    ["a length of five bytes", "048500000000010000"],
    ["a reserved length", "04ff00"],
    ["a length beyond the input", "0405 00000000"],
    ["a length of 4 GiB", "0484ffffffff00"],
    ["a tag alone", "04"],
    ["a cut length", "048201"],
    ["a tag of several bytes", "1f0100"],
    ["nothing", ""],
  ])("refuses %s", (_name, hex) => {
    expect(() => read(hex.replaceAll(" ", "")).read()).toThrow(REFUSED);
  });

  it("says what is wrong with a length", () => {
    for (const bad of ["30800000", "048500000000010000"])
      expect(() => read(bad).read()).toThrow(/indefinite/);
  });

  it("refuses another tag than the one asked for", () => {
    expect(() => read("0401ff").read(DER.integer)).toThrow(REFUSED);
    expect(() => read("0401ff").enter()).toThrow(REFUSED);
  });

  it("refuses bytes left over", () => {
    const reader = read("050000");
    reader.read();
    expect(() => reader.end()).toThrow(REFUSED);
  });

  it("reads minimal non-negative integers only", () => {
    expect(read("020100").unsigned()).toBe(0n);
    expect(read("02017f").unsigned()).toBe(127n);
    expect(read("02020080").unsigned()).toBe(128n);
    expect(read("0203010001").unsigned()).toBe(65537n);
    for (const bad of ["0200", "020180", "0202ffff", "02020000", "0202007f"]) {
      expect(() => read(bad).unsigned(), bad).toThrow(REFUSED);
    }
  });

  it("reads object identifiers", () => {
    expect(read("06092a864886f70d01010b").oid()).toBe("1.2.840.113549.1.1.11");
    expect(read("06032b6570").oid()).toBe("1.3.101.112");
    expect(read("0603550403").oid()).toBe("2.5.4.3");
    expect(read("0603883703").oid()).toBe("2.999.3");
    expect(read("060100").oid()).toBe("0.0");
    for (const bad of ["0600", "06022a80", "06032a8001", "060180", `0641${"01".repeat(65)}`]) {
      expect(() => read(bad).oid(), bad).toThrow(REFUSED);
    }
    expect(() => read("060b2affffffffffffffffff7f").oid()).toThrow(REFUSED);
  });

  it("reads bit strings of whole bytes", () => {
    expect(toHex(read("030300abcd").bitString())).toBe("abcd");
    expect(read("030100").bitString()).toHaveLength(0);
    for (const bad of ["0300", "030204f0", "030208ff"]) expect(() => read(bad).bitString()).toThrow(REFUSED);
  });

  it("on any input returns or throws a TorError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(4), (bytes, which) => {
        const reader = new DerReader(bytes);
        try {
          if (which === 0) while (!reader.atEnd) reader.read();
          else if (which === 1) reader.unsigned();
          else if (which === 2) reader.oid();
          else if (which === 3) reader.bitString();
          else reader.enter().read();
        } catch (error) {
          expect(isTorError(error)).toBe(true);
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe("big-endian numbers", () => {
  it("go to bytes and back", () => {
    expect(bytesToBigint(new Uint8Array(0))).toBe(0n);
    expect(bytesToBigint(fromHex("00ff01"))).toBe(0xff01n);
    expect(toHex(bigintToBytes(0xff01n, 4))).toBe("0000ff01");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(bigintToBytes(bytesToBigint(bytes), bytes.length)).toEqual(bytes);
      }),
      { seed: 2, numRuns: 200 },
    );
  });
});
