import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fromBase64,
  fromHex,
  fromLatin1,
  fromUtf8,
  toBase64,
  toBase64Unpadded,
  toHex,
  utf8,
} from "../../src/base/encoding.ts";

const REFUSED = expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_MALFORMED" });

describe("hexadecimal", () => {
  it("is lower case, and read in either", () => {
    expect(toHex(Uint8Array.of(0, 0xab, 0xff))).toBe("00abff");
    expect(fromHex("00aBFf")).toEqual(Uint8Array.of(0, 0xab, 0xff));
    expect(fromHex("")).toHaveLength(0);
  });

  it.each(["0", "0g", "0x00", " 00", "00\n", "éé"])("refuses %j", (text) => {
    expect(() => fromHex(text)).toThrow(REFUSED);
  });
});

describe("base64", () => {
  it.each([
    ["", ""],
    ["f", "Zg=="],
    ["fo", "Zm8="],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg=="],
    ["fooba", "Zm9vYmE="],
    ["foobar", "Zm9vYmFy"],
  ])("encodes %j as RFC 4648 10 does", (text, encoded) => {
    expect(toBase64(utf8(text))).toBe(encoded);
    expect(toBase64Unpadded(utf8(text))).toBe(encoded.replaceAll("=", ""));
    expect(fromBase64(encoded)).toEqual(utf8(text));
    expect(fromBase64(encoded.replaceAll("=", ""))).toEqual(utf8(text));
  });

  it("goes there and back, large input too", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
        expect(fromBase64(toBase64Unpadded(bytes))).toEqual(bytes);
      }),
      { seed: 1 },
    );
    const large = new Uint8Array(100_001).map((_, i) => i * 7);
    expect(fromBase64(toBase64(large))).toEqual(large);
  });

  it.each([
    "Z",
    "Zg=",
    "Zg===",
    "Zm8==",
    "Zm9v=",
    "Zm9v====",
    "=",
    "Z g=",
    "Zm9v\n",
    "Zm-_",
    "Zm9vY",
    "Zg==Zg==",
  ])("refuses %j", (text) => {
    expect(() => fromBase64(text)).toThrow(REFUSED);
  });

  it.each(["Zh==", "Zh", "Zm9=", "Zm9", "Zm9vYh"])("refuses the stray bits of %j", (text) => {
    expect(() => fromBase64(text)).toThrow(/stray/);
  });
});

describe("text", () => {
  it("in UTF-8 goes there and back, with its byte order mark", () => {
    for (const text of ["", "zwiebel", "Šø雨🧅", "\ufeffmark"]) expect(fromUtf8(utf8(text))).toBe(text);
  });

  it.each(["80", "c080", "c3", "eda080", "f4908080"])("that is not UTF-8 is refused: %s", (hex) => {
    expect(() => fromUtf8(fromHex(hex))).toThrow(REFUSED);
  });

  it("in Latin-1 keeps every byte, large input too", () => {
    const bytes = new Uint8Array(20_000).map((_, i) => i);
    const text = fromLatin1(bytes);
    expect(text).toHaveLength(20_000);
    expect([...text].every((char, i) => char.charCodeAt(0) === (i & 255))).toBe(true);
  });
});
