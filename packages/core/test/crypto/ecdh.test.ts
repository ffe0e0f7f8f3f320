import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, toBase64Unpadded, toHex } from "../../src/base/encoding.ts";
import { type EcdhCurve, type EcdhKeyPair, ecdhPair, generateEcdh } from "../../src/crypto/ecdh.ts";
import { bytes, describeWycheproof } from "./wycheproof.ts";

const REFUSED = { kind: "protocol-violation", code: "ALLIUM_E_ECDH" };

/** Base points (SEC 2, 2.4.2, 2.5.1), and the vectors of RFC 5903 8.1 and 8.2. */
const CURVES = [
  {
    curve: "P-256",
    size: 32,
    base:
      "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
      "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    privateKey: "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
    point:
      "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180" +
      "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
    peer:
      "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63" +
      "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
    shared: "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
  },
  {
    curve: "P-384",
    size: 48,
    base:
      "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7" +
      "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    privateKey:
      "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
    point:
      "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa" +
      "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
    peer:
      "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571" +
      "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
    shared:
      "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746",
  },
] as const;

const base64Url = (part: Uint8Array) => toBase64Unpadded(part).replaceAll("+", "-").replaceAll("/", "_");
const uncompressed = (hex: string) => fromHex(`04${hex}`);

/** A pair with a given private key; the JWK wants the matching public point, which ECDH in WebCrypto cannot compute. */
async function fromPrivate(
  curve: EcdhCurve,
  privateKey: Uint8Array,
  point: Uint8Array,
): Promise<EcdhKeyPair> {
  const half = (point.length + 1) / 2;
  const jwk = {
    kty: "EC",
    crv: curve,
    d: base64Url(privateKey),
    x: base64Url(point.subarray(1, half)),
    y: base64Url(point.subarray(half)),
  };
  const algorithm = { name: "ECDH", namedCurve: curve };
  return ecdhPair(curve, await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["deriveBits"]), point);
}

describe.each(CURVES)("ECDH on $curve", ({ curve, size, base, privateKey, point, peer, shared }) => {
  it("gives the shared secret of RFC 5903", async () => {
    const pair = await fromPrivate(curve, fromHex(privateKey), uncompressed(point));
    expect(toHex(await pair.diffieHellman(uncompressed(peer)))).toBe(shared);
  });

  it("of fresh pairs agrees", async () => {
    const [one, two] = await Promise.all([generateEcdh(curve), generateEcdh(curve)]);
    expect(one.publicKey).toHaveLength(1 + 2 * size);
    expect(one.publicKey[0]).toBe(4);
    const secret = await one.diffieHellman(two.publicKey);
    expect(secret).toHaveLength(size);
    expect(secret).toEqual(await two.diffieHellman(one.publicKey));
  });

  it("refuses points off the curve, compressed, cut, lengthened, at infinity or of another curve", async () => {
    const pair = await generateEcdh(curve);
    const good = uncompressed(base);
    await pair.diffieHellman(good);
    const off = Uint8Array.from(good);
    off[2 * size] = (off[2 * size] as number) ^ 1;
    const odd = Uint8Array.from(good);
    odd[0] = 7;
    for (const wrong of [
      off,
      odd,
      concat(Uint8Array.of(3), good.subarray(1, 1 + size)),
      good.subarray(0, 2 * size),
      concat(good, Uint8Array.of(0)),
      Uint8Array.of(0),
      new Uint8Array(0),
      concat(Uint8Array.of(4), new Uint8Array(2 * size)),
      uncompressed(CURVES.find((other) => other.curve !== curve)?.base ?? ""),
    ]) {
      await expect(pair.diffieHellman(wrong)).rejects.toMatchObject(REFUSED);
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
      const pair = await fromPrivate("P-256", scalar, Uint8Array.from(own.getPublicKey()));
      const secret = pair.diffieHellman(bytes(test.public));
      // «acceptable» are compressed points, which a TLS key share may not be.
      if (test.result === "valid") expect(toHex(await secret), `case ${test.tcId}`).toBe(test.shared);
      else await expect(secret, `case ${test.tcId}`).rejects.toMatchObject(REFUSED);
    }
  });
});
