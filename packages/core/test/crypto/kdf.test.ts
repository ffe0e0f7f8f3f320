import { hkdfSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { fromHex, toHex, utf8 } from "../../src/base/encoding.ts";
import { hkdfExpand, hkdfExtract, hkdfSha256, hmac, hmacSha256, kdfTor } from "../../src/crypto/kdf.ts";
import { KDF_NTOR, KDF_TOR, RFC5869 } from "./vectors.ts";
import { bytes, describeWycheproof } from "./wycheproof.ts";

describe("HMAC", () => {
  it("gives RFC 4231's test case 2 and 6", () => {
    const data = utf8("what do ya want for nothing?");
    expect(toHex(hmacSha256(utf8("Jefe"), data))).toBe(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
    expect(toHex(hmac("sha384", utf8("Jefe"), data))).toBe(
      "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    );
    const long = utf8("Test Using Larger Than Block-Size Key - Hash Key First");
    expect(toHex(hmacSha256(new Uint8Array(131).fill(0xaa), long))).toBe(
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    );
  });
});

describe("HKDF", () => {
  it.each(RFC5869)("gives RFC 5869's key material ($#)", ({ ikm, salt, info, prk, okm }) => {
    const extracted = hkdfExtract("sha256", fromHex(salt), fromHex(ikm));
    expect(toHex(extracted)).toBe(prk);
    expect(toHex(hkdfExpand("sha256", extracted, fromHex(info), okm.length / 2))).toBe(okm);
    expect(toHex(hkdfSha256(fromHex(ikm), fromHex(salt), fromHex(info), okm.length / 2))).toBe(okm);
  });

  it("with SHA-384 agrees with another implementation", () => {
    const [ikm, salt, info] = [utf8("key material"), utf8("salt"), utf8("info")];
    const prk = hkdfExtract("sha384", salt, ikm);
    expect(prk).toHaveLength(48);
    const expected = new Uint8Array(hkdfSync("sha384", ikm, salt, info, 200));
    expect(hkdfExpand("sha384", prk, info, 200)).toEqual(expected);
  });

  it("refuses more than 255 blocks", () => {
    expect(() => hkdfExpand("sha256", new Uint8Array(32), utf8(""), 255 * 32 + 1)).toThrow();
  });

  it.each(KDF_NTOR)("gives Tor's ntor key material ($#)", ({ ikm, okm }) => {
    const [salt, info] = ["ntor-curve25519-sha256-1:key_extract", "ntor-curve25519-sha256-1:key_expand"];
    expect(toHex(hkdfSha256(utf8(ikm), utf8(salt), utf8(info), 100))).toBe(okm);
  });
});

describe("KDF-TOR", () => {
  it.each(KDF_TOR)("gives Tor's key material ($#)", ({ k0, okm }) => {
    expect(toHex(kdfTor(utf8(k0), 100))).toBe(okm);
    expect(toHex(kdfTor(utf8(k0), 21))).toBe(okm.slice(0, 42));
  });

  it("refuses lengths at which its counter would wrap", () => {
    expect(kdfTor(utf8("x"), 5120)).toHaveLength(5120);
    expect(() => kdfTor(utf8("x"), 5121)).toThrow(RangeError);
  });
});

describeWycheproof("hkdf_sha256_test.json", (groups) => {
  it("agrees in every case", () => {
    for (const test of groups().flatMap((group) => group.tests)) {
      const derive = () =>
        toHex(hkdfSha256(bytes(test.ikm), bytes(test.salt), bytes(test.info), test.size as number));
      if (test.result === "valid") expect(derive(), `case ${test.tcId}`).toBe(test.okm);
      else expect(derive, `case ${test.tcId}`).toThrow();
    }
  });
});
