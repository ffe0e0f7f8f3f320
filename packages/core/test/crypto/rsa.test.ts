import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
} from "node:crypto";
import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { toHex } from "../../src/base/encoding.ts";
import { bigintToBytes } from "../../src/crypto/der.ts";
import { sha1, sha256 } from "../../src/crypto/hash.ts";
import { parseRsaPublicKey, type RsaPublicKey, rsaId, verifyRsaBare } from "../../src/crypto/rsa.ts";
import { pattern } from "./patterns.ts";
import { RSA_1024_JWK } from "./vectors.ts";

interface Signer {
  readonly privateKey: KeyObject;
  readonly der: Uint8Array;
  readonly key: RsaPublicKey;
}

function signer(privateKey: KeyObject): Signer {
  const der = Uint8Array.from(createPublicKey(privateKey).export({ type: "pkcs1", format: "der" }));
  return { privateKey, der, key: parseRsaPublicKey(der) };
}

const fresh = (bits: number) => signer(generateKeyPairSync("rsa", { modulusLength: bits }).privateKey);
const RSA_1024 = signer(createPrivateKey({ key: RSA_1024_JWK, format: "jwk" }));

/** Raises a whole block to the private exponent. */
function signBlock(privateKey: KeyObject, block: Uint8Array): Uint8Array {
  return Uint8Array.from(privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, block));
}

const { privateKey, der, key } = fresh(2048);
const DIGEST = sha256(pattern(100, 1));
const SIZE = 256;

/** 00 01, `padding` bytes of FF, 00, the tail. */
function block(padding: number, tail: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0, 1), new Uint8Array(padding).fill(0xff), Uint8Array.of(0), tail);
}

/** A SEQUENCE or INTEGER in DER. */
function tlv(tag: number, ...contents: Uint8Array[]): Uint8Array {
  const all = concat(...contents);
  const length =
    all.length < 128
      ? [all.length]
      : all.length < 256
        ? [0x81, all.length]
        : [0x82, all.length >> 8, all.length & 255];
  return concat(Uint8Array.of(tag, ...length), all);
}

function integer(value: bigint): Uint8Array {
  let hex = value.toString(16);
  if (hex.length % 2 === 1) hex = `0${hex}`;
  const bytes = bigintToBytes(value, hex.length / 2);
  return tlv(2, (bytes[0] as number) >= 0x80 ? concat(Uint8Array.of(0), bytes) : bytes);
}

const encode = (n: bigint, e: bigint) => tlv(0x30, integer(n), integer(e));

describe("an RSA signature of a bare digest", () => {
  it.each([1024, 2048, 3072])("of %i bits is accepted", (bits) => {
    const own = bits === 1024 ? RSA_1024 : fresh(bits);
    for (const digest of [DIGEST, sha1(DIGEST)]) {
      const padding = constants.RSA_PKCS1_PADDING;
      const signature = Uint8Array.from(privateEncrypt({ key: own.privateKey, padding }, digest));
      expect(verifyRsaBare(own.key, digest, signature)).toBe(true);
      expect(verifyRsaBare(own.key, sha256(digest), signature)).toBe(false);
      expect(verifyRsaBare(key, digest, signature)).toBe(false);
    }
  });

  const good = block(SIZE - 3 - 32, DIGEST);
  const signed = signBlock(privateKey, good);
  const accepts = (bytes: Uint8Array) => verifyRsaBare(key, DIGEST, signBlock(privateKey, bytes));
  const changed = (at: number, value: number) => {
    const copy = Uint8Array.from(good);
    copy[at] = value;
    return copy;
  };

  it("is the whole block, each byte of it", () => {
    expect(accepts(good)).toBe(true);
    expect(accepts(changed(1, 2))).toBe(false);
    expect(accepts(changed(1, 0))).toBe(false);
    for (let at = 2; at < SIZE; at += 5) expect(accepts(changed(at, 0xa5)), `byte ${at}`).toBe(false);
    expect(accepts(changed(SIZE - 33, 1))).toBe(false);
    expect(accepts(changed(2, 0))).toBe(false);
  });

  it("with short padding and garbage behind the digest is refused (Bleichenbacher 2006)", () => {
    expect(accepts(concat(block(8, DIGEST), pattern(SIZE - 11 - 32, 7)))).toBe(false);
    expect(accepts(block(SIZE - 3 - 32 - 40, concat(DIGEST, pattern(40, 7))))).toBe(false);
    expect(accepts(block(SIZE - 3 - 32 - 1, concat(DIGEST, Uint8Array.of(0))))).toBe(false);
  });

  it("with something before the digest is refused", () => {
    expect(accepts(block(SIZE - 3 - 40, concat(pattern(8, 7), DIGEST)))).toBe(false);
  });

  it("with a DigestInfo is refused", () => {
    const info = Uint8Array.from(Buffer.from("3031300d060960864801650304020105000420", "hex"));
    expect(accepts(block(SIZE - 3 - 32 - info.length, concat(info, DIGEST)))).toBe(false);
  });

  it("that is a prefix or an extension of the digest is refused", () => {
    expect(verifyRsaBare(key, DIGEST.subarray(0, 31), signed)).toBe(false);
    expect(verifyRsaBare(key, concat(DIGEST, Uint8Array.of(0)), signed)).toBe(false);
    expect(verifyRsaBare(key, concat(Uint8Array.of(0), DIGEST), signed)).toBe(false);
  });

  it("of another length than the modulus is refused, leading zeros and all", () => {
    expect(verifyRsaBare(key, DIGEST, signed)).toBe(true);
    expect(verifyRsaBare(key, DIGEST, concat(Uint8Array.of(0), signed))).toBe(false);
    expect(verifyRsaBare(key, DIGEST, signed.subarray(1))).toBe(false);
    expect(verifyRsaBare(key, DIGEST, new Uint8Array(0))).toBe(false);
  });

  it("that is not below the modulus is refused", () => {
    // A signature to which the modulus can be added within the same length: the same number, another text.
    const own = RSA_1024.key;
    for (let i = 0; ; i++) {
      const digest = sha256(pattern(10, i));
      const s = signBlock(RSA_1024.privateKey, block(128 - 3 - 32, digest));
      const sum = BigInt(`0x${toHex(s)}`) + own.n;
      if (sum >= 1n << 1024n) continue;
      expect(verifyRsaBare(own, digest, s)).toBe(true);
      expect(verifyRsaBare(own, digest, bigintToBytes(sum, 128))).toBe(false);
      break;
    }
    expect(verifyRsaBare(key, DIGEST, bigintToBytes(key.n, SIZE))).toBe(false);
    expect(verifyRsaBare(key, DIGEST, new Uint8Array(SIZE).fill(0xff))).toBe(false);
  });

  it("of a digest that leaves fewer than eight bytes of padding is refused", () => {
    const long = pattern(SIZE - 10, 3);
    expect(verifyRsaBare(key, long, signBlock(privateKey, block(7, long)))).toBe(false);
    const longest = pattern(SIZE - 11, 3);
    expect(verifyRsaBare(key, longest, signBlock(privateKey, block(8, longest)))).toBe(true);
  });
});

describe("an RSA public key", () => {
  it("is read from PKCS#1 DER and named by its SHA-1", () => {
    expect(key.bits).toBe(2048);
    expect(key.e).toBe(65537n);
    expect(encode(key.n, key.e)).toEqual(der);
    expect(key.der).toEqual(der);
    expect(rsaId(key)).toEqual(sha1(der));
  });

  it("keeps bytes of its own", () => {
    const buffer = Buffer.from(der);
    const own = parseRsaPublicKey(buffer);
    buffer.fill(0);
    expect(rsaId(own)).toEqual(sha1(der));
  });

  it.each([1n, 3n, 17n, 65536n, 65539n, 2n ** 32n + 1n])("with the exponent %s is refused", (e) => {
    expect(() => parseRsaPublicKey(encode(key.n, e))).toThrow(/exponent/);
  });

  it("outside 1024 to 4096 bits is refused", () => {
    const ones = (bits: bigint) => (1n << bits) - 1n;
    expect(parseRsaPublicKey(encode(ones(1024n), 65537n)).bits).toBe(1024);
    expect(parseRsaPublicKey(encode(ones(4096n), 65537n)).bits).toBe(4096);
    for (const bits of [512n, 1016n, 1023n, 1025n, 4104n, 8192n]) {
      expect(() => parseRsaPublicKey(encode(ones(bits), 65537n)), `${bits}`).toThrow(/RSA/);
    }
  });

  it("with an even modulus is refused", () => {
    expect(() => parseRsaPublicKey(encode(key.n + 1n, 65537n))).toThrow(/even/);
  });

  it("with bytes left over, inside or behind, is refused", () => {
    expect(() => parseRsaPublicKey(concat(der, Uint8Array.of(0)))).toThrow(/after the last/);
    const three = tlv(0x30, integer(key.n), integer(key.e), integer(1n));
    expect(() => parseRsaPublicKey(three)).toThrow(/after the last/);
  });

  it("cut short anywhere is refused", () => {
    for (let length = 0; length < der.length; length += 3) {
      expect(() => parseRsaPublicKey(der.subarray(0, length))).toThrow(/DER/);
    }
  });

  it("with a negative or padded modulus is refused", () => {
    const raw = bigintToBytes(key.n, SIZE);
    const negative = tlv(0x30, tlv(2, raw), integer(65537n));
    expect(() => parseRsaPublicKey(negative)).toThrow(/negative/);
    const padded = tlv(0x30, tlv(2, Uint8Array.of(0, 0), raw), integer(65537n));
    expect(() => parseRsaPublicKey(padded)).toThrow(/needless/);
  });
});
