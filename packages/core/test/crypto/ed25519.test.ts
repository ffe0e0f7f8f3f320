import { describe, expect, it } from "vitest";
import { fromHex } from "../../src/base/encoding.ts";
import { verifyEd25519 } from "../../src/crypto/ed25519.ts";
import { RFC8032, TOR_ED25519, TOR_ED25519_OFF_CURVE } from "./vectors.ts";
import { bytes, describeWycheproof } from "./wycheproof.ts";

/** 2^252 + 27742317777372353535851937790883648493, little-endian. */
const ORDER = fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

function flipped(input: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(input);
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

/** The same signature with S + L in place of S. */
function unreduced(signature: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(signature);
  for (let i = 0, carry = 0; i < 32; i++) {
    const sum = (copy[32 + i] as number) + (ORDER[i] as number) + carry;
    copy[32 + i] = sum & 255;
    carry = sum >> 8;
  }
  return copy;
}

describe("Ed25519 verification", () => {
  it.each(RFC8032)("accepts RFC 8032's signature ($#)", ({ publicKey, message, signature }) => {
    expect(verifyEd25519(fromHex(signature), fromHex(message), fromHex(publicKey))).toBe(true);
  });

  it.each(TOR_ED25519)("accepts C tor's self-signature of $publicKey", ({ publicKey, signature }) => {
    expect(verifyEd25519(fromHex(signature), fromHex(publicKey), fromHex(publicKey))).toBe(true);
  });

  const { publicKey, message, signature } = RFC8032[2] as (typeof RFC8032)[number];
  const [key, text, good] = [fromHex(publicKey), fromHex(message), fromHex(signature)];

  it("refuses a flipped bit in signature, message or key", () => {
    for (let bit = 0; bit < 512; bit += 13) expect(verifyEd25519(flipped(good, bit), text, key)).toBe(false);
    for (let bit = 0; bit < 16; bit++) expect(verifyEd25519(good, flipped(text, bit), key)).toBe(false);
    for (let bit = 0; bit < 256; bit += 13) expect(verifyEd25519(good, text, flipped(key, bit))).toBe(false);
  });

  it("refuses an S that is not below the group order", () => {
    expect(verifyEd25519(unreduced(good), text, key)).toBe(false);
  });

  it("refuses wrong lengths", () => {
    expect(verifyEd25519(good.subarray(0, 63), text, key)).toBe(false);
    expect(verifyEd25519(Uint8Array.of(...good, 0), text, key)).toBe(false);
    expect(verifyEd25519(good, text, key.subarray(0, 31))).toBe(false);
    expect(verifyEd25519(new Uint8Array(0), text, new Uint8Array(0))).toBe(false);
  });

  it("refuses a key that is no point of the curve", () => {
    expect(verifyEd25519(good, text, fromHex(TOR_ED25519_OFF_CURVE))).toBe(false);
  });

  // With a key of small order, R = A or the neutral element and S = 0 fit most or all messages.
  it.each([
    ["the neutral element", "0100000000000000000000000000000000000000000000000000000000000000"],
    ["order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
    ["order 4", "0000000000000000000000000000000000000000000000000000000000000000"],
    ["order 4, other sign", "0000000000000000000000000000000000000000000000000000000000000080"],
    ["order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"],
    ["order 8, other point", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"],
    [
      "the neutral element, y not reduced",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ],
    ["the neutral element, x = -0", "0100000000000000000000000000000000000000000000000000000000000080"],
    ["order 4, y not reduced", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
  ])("refuses a key of small order or not canonical: %s", (_name, hex) => {
    const small = fromHex(hex);
    const neutral = Uint8Array.of(1, ...new Uint8Array(63));
    for (let i = 0; i < 16; i++) {
      const any = Uint8Array.of(i);
      expect(verifyEd25519(neutral, any, small)).toBe(false);
      expect(verifyEd25519(Uint8Array.of(...small, ...new Uint8Array(32)), any, small)).toBe(false);
    }
  });
});

describeWycheproof("ed25519_test.json", (groups) => {
  it("agrees in every case", () => {
    for (const group of groups()) {
      const key = bytes((group.publicKey as { pk: string }).pk);
      for (const test of group.tests) {
        const accepted = verifyEd25519(bytes(test.sig), bytes(test.msg), key);
        expect(accepted, `case ${test.tcId}: ${test.comment}`).toBe(test.result === "valid");
      }
    }
  });
});
