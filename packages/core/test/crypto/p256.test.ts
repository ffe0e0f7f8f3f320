import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, toBase64Unpadded, toHex } from "../../src/base/encoding.ts";
import { generateP256, type P256KeyPair, p256Pair } from "../../src/crypto/p256.ts";
import { bytes, describeWycheproof } from "./wycheproof.ts";

const REFUSED = { kind: "protocol-violation", code: "ALLIUM_E_P256" };
/** The base point (SEC 2, 2.4.2): the public key of the private key 1. */
const BASE = fromHex(
  "04" +
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
);

const base64Url = (part: Uint8Array) => toBase64Unpadded(part).replaceAll("+", "-").replaceAll("/", "_");

/** A pair with a given private key; the JWK wants the matching public point, which ECDH in WebCrypto cannot compute. */
async function fromPrivate(privateKey: Uint8Array, point: Uint8Array): Promise<P256KeyPair> {
  const jwk = {
    kty: "EC",
    crv: "P-256",
    d: base64Url(privateKey),
    x: base64Url(point.subarray(1, 33)),
    y: base64Url(point.subarray(33)),
  };
  const algorithm = { name: "ECDH", namedCurve: "P-256" };
  return p256Pair(await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["deriveBits"]), point);
}

describe("ECDH on P-256", () => {
  it("gives RFC 5903's shared secret (8.1)", async () => {
    const point = fromHex(
      "04" +
        "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180" +
        "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
    );
    const peer = fromHex(
      "04" +
        "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63" +
        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
    );
    const pair = await fromPrivate(
      fromHex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"),
      point,
    );
    expect(toHex(await pair.diffieHellman(peer))).toBe(
      "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
    );
  });

  it("of fresh pairs agrees", async () => {
    const [one, two] = await Promise.all([generateP256(), generateP256()]);
    expect(one.publicKey).toHaveLength(65);
    expect(one.publicKey[0]).toBe(4);
    const secret = await one.diffieHellman(two.publicKey);
    expect(secret).toHaveLength(32);
    expect(secret).toEqual(await two.diffieHellman(one.publicKey));
  });

  it("refuses points off the curve, compressed, cut, lengthened or at infinity", async () => {
    const pair = await generateP256();
    await pair.diffieHellman(BASE);
    const off = Uint8Array.from(BASE);
    off[64] = (off[64] as number) ^ 1;
    const odd = Uint8Array.from(BASE);
    odd[0] = 7;
    for (const point of [
      off,
      odd,
      concat(Uint8Array.of(3), BASE.subarray(1, 33)),
      BASE.subarray(0, 64),
      concat(BASE, Uint8Array.of(0)),
      Uint8Array.of(0),
      new Uint8Array(0),
      concat(Uint8Array.of(4), new Uint8Array(64)),
    ]) {
      await expect(pair.diffieHellman(point)).rejects.toMatchObject(REFUSED);
    }
  });
});

describeWycheproof("ecdh_secp256r1_ecpoint_test.json", (groups) => {
  it("agrees in every case", async () => {
    const { createECDH } = await import("node:crypto");
    for (const test of groups().flatMap((group) => group.tests)) {
      const scalar = bytes((test.private as string).slice(-64).padStart(64, "0"));
      const own = createECDH("prime256v1");
      own.setPrivateKey(scalar);
      const pair = await fromPrivate(scalar, Uint8Array.from(own.getPublicKey()));
      const secret = pair.diffieHellman(bytes(test.public));
      // «acceptable» are compressed points, which a TLS key share may not be.
      if (test.result === "valid") expect(toHex(await secret), `case ${test.tcId}`).toBe(test.shared);
      else await expect(secret, `case ${test.tcId}`).rejects.toMatchObject(REFUSED);
    }
  });
});
