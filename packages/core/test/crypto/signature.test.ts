import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex } from "../../src/base/encoding.ts";
import { type SignatureScheme, verifySignature } from "../../src/crypto/signature.ts";
import { pattern } from "./patterns.ts";
import { RFC8032, RSA_1024_JWK } from "./vectors.ts";
import { bytes, describeWycheproof } from "./wycheproof.ts";

const spkiOf = (key: KeyObject) =>
  Uint8Array.from(createPublicKey(key).export({ type: "spki", format: "der" }));
const DATA = pattern(500, 1);

const KEYS = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  p256: generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey,
  p384: generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey,
  p521: generateKeyPairSync("ec", { namedCurve: "secp521r1" }).privateKey,
  ed25519: generateKeyPairSync("ed25519").privateKey,
};

const SCHEMES: readonly {
  scheme: SignatureScheme;
  key: keyof typeof KEYS;
  hash: string | null;
  pss?: boolean;
}[] = [
  { scheme: "rsa_pss_rsae_sha256", key: "rsa", hash: "sha256", pss: true },
  { scheme: "rsa_pss_rsae_sha384", key: "rsa", hash: "sha384", pss: true },
  { scheme: "rsa_pss_rsae_sha512", key: "rsa", hash: "sha512", pss: true },
  { scheme: "rsa_pkcs1_sha256", key: "rsa", hash: "sha256" },
  { scheme: "rsa_pkcs1_sha384", key: "rsa", hash: "sha384" },
  { scheme: "rsa_pkcs1_sha512", key: "rsa", hash: "sha512" },
  { scheme: "ecdsa_secp256r1_sha256", key: "p256", hash: "sha256" },
  { scheme: "ecdsa_secp384r1_sha384", key: "p384", hash: "sha384" },
  { scheme: "ecdsa_secp521r1_sha512", key: "p521", hash: "sha512" },
  { scheme: "ecdsa_secp256r1_sha384", key: "p256", hash: "sha384" },
  { scheme: "ecdsa_secp256r1_sha512", key: "p256", hash: "sha512" },
  { scheme: "ecdsa_secp384r1_sha256", key: "p384", hash: "sha256" },
  { scheme: "ecdsa_secp384r1_sha512", key: "p384", hash: "sha512" },
  { scheme: "ecdsa_secp521r1_sha256", key: "p521", hash: "sha256" },
  { scheme: "ecdsa_secp521r1_sha384", key: "p521", hash: "sha384" },
  { scheme: "ed25519", key: "ed25519", hash: null },
];

function signWith({ key, hash, pss }: (typeof SCHEMES)[number], saltLength?: number): Uint8Array {
  const padding = pss
    ? {
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST,
      }
    : {};
  return Uint8Array.from(sign(hash, DATA, { key: KEYS[key], ...padding }));
}

describe("a signature", () => {
  it.each(SCHEMES)("by $scheme is accepted, and not when anything about it differs", async (entry) => {
    const { scheme, key } = entry;
    const [spki, signature] = [spkiOf(KEYS[key]), signWith(entry)];
    const accepts = (s: Uint8Array, d: Uint8Array) => verifySignature(scheme, spki, s, d);
    expect(await accepts(signature, DATA)).toBe(true);
    expect(await accepts(signature, DATA.subarray(1))).toBe(false);
    for (let i = 0; i < signature.length; i += 7) {
      const bad = Uint8Array.from(signature);
      bad[i] = (bad[i] as number) ^ 4;
      expect(await accepts(bad, DATA), `byte ${i}`).toBe(false);
    }
    expect(await accepts(concat(signature, Uint8Array.of(0)), DATA)).toBe(false);
    expect(await accepts(signature.subarray(1), DATA)).toBe(false);
    expect(await accepts(new Uint8Array(0), DATA)).toBe(false);
  });

  it("is accepted under its own scheme and key type only", async () => {
    for (const made of SCHEMES) {
      const [signature, spki] = [signWith(made), spkiOf(KEYS[made.key])];
      for (const { scheme, key } of SCHEMES) {
        if (scheme !== made.scheme) {
          expect(await verifySignature(scheme, spki, signature, DATA), `${made.scheme} as ${scheme}`).toBe(
            false,
          );
        }
        if (key !== made.key) {
          expect(await verifySignature(made.scheme, spkiOf(KEYS[key]), signature, DATA)).toBe(false);
        }
      }
    }
  });

  it("by RSA-PSS with a salt of another length than the hash is refused", async () => {
    const entry = SCHEMES[0] as (typeof SCHEMES)[number];
    for (const saltLength of [0, 20, 64]) {
      const signature = signWith(entry, saltLength);
      expect(await verifySignature(entry.scheme, spkiOf(KEYS.rsa), signature, DATA)).toBe(false);
    }
  });

  it("by RSA is refused without its leading zeros", async () => {
    const privateKey = createPrivateKey({ key: RSA_1024_JWK, format: "jwk" });
    const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    for (const [scheme, key] of [
      ["rsa_pkcs1_sha256", { key: privateKey }],
      ["rsa_pss_rsae_sha256", { key: privateKey, ...padding }],
    ] as const) {
      const accepts = (s: Uint8Array, d: Uint8Array) => verifySignature(scheme, spkiOf(privateKey), s, d);
      let data = pattern(10, 0);
      let signature = sign("sha256", data, key);
      for (let i = 1; signature[0] !== 0; i++) {
        data = pattern(10, i);
        signature = sign("sha256", data, key);
      }
      expect(await accepts(Uint8Array.from(signature), data)).toBe(true);
      expect(await accepts(Uint8Array.from(signature.subarray(1)), data)).toBe(false);
    }
  });

  it("is refused with a malformed key", async () => {
    for (const entry of SCHEMES) {
      const spki = spkiOf(KEYS[entry.key]);
      for (const bad of [
        new Uint8Array(0),
        spki.subarray(0, -1),
        concat(spki, Uint8Array.of(0)),
        pattern(91, 3),
      ]) {
        expect(await verifySignature(entry.scheme, bad, signWith(entry), DATA), entry.scheme).toBe(false);
      }
    }
  });

  it("is refused with a key whose parts are followed by more, or whose point is compressed", async () => {
    const accepts = (entry: (typeof SCHEMES)[number], spki: Uint8Array) =>
      verifySignature(entry.scheme, spki, signWith(entry), DATA);
    const [rsa, ecdsa] = [SCHEMES[3], SCHEMES[6]] as [(typeof SCHEMES)[number], (typeof SCHEMES)[number]];
    const der = (tag: number, ...parts: Uint8Array[]) => {
      const all = concat(...parts);
      const long = all.length < 128 ? [all.length] : [0x82, all.length >> 8, all.length & 255];
      return concat(Uint8Array.of(tag, ...long), all);
    };
    const zero = Uint8Array.of(0);
    const extra = Uint8Array.of(2, 1, 1);
    const rsaId = fromHex("300d06092a864886f70d0101010500");
    const pkcs1 = Uint8Array.from(createPublicKey(KEYS.rsa).export({ type: "pkcs1", format: "der" }));
    expect(await accepts(rsa, der(0x30, rsaId, der(3, zero, pkcs1)))).toBe(true);
    expect(await accepts(rsa, der(0x30, rsaId, der(3, zero, pkcs1), extra))).toBe(false);
    expect(await accepts(rsa, der(0x30, rsaId, der(3, zero, pkcs1, extra)))).toBe(false);
    expect(await accepts(rsa, der(0x30, rsaId, der(3, zero, der(0x30, pkcs1.subarray(4), extra))))).toBe(
      false,
    );
    const ecId = fromHex("301306072a8648ce3d020106082a8648ce3d030107");
    const point = spkiOf(KEYS.p256).subarray(-65);
    const compressed = concat(Uint8Array.of(2 + ((point[64] as number) & 1)), point.subarray(1, 33));
    expect(await accepts(ecdsa, der(0x30, ecId, der(3, zero, point)))).toBe(true);
    expect(await accepts(ecdsa, der(0x30, ecId, der(3, zero, compressed)))).toBe(false);
  });

  it("by ECDSA is refused when its DER is not strict or its numbers are out of range", async () => {
    const spki = spkiOf(KEYS.p256);
    const accepts = (hex: string) => verifySignature("ecdsa_secp256r1_sha256", spki, fromHex(hex), DATA);
    for (const bad of [
      "30060201010201",
      "3006020101020101" + "00",
      "3009020101020101020101",
      "3080020101020101" + "0000",
      "3006020100020100",
      `3026022101${"00".repeat(32)}020101`,
      "3006020181020181",
    ]) {
      expect(await accepts(bad), bad).toBe(false);
    }
  });

  it("by Ed25519 is checked by the strict verifier", async () => {
    const prefix = fromHex("302a300506032b6570032100");
    const vector = RFC8032[2] as (typeof RFC8032)[number];
    const spki = concat(prefix, fromHex(vector.publicKey));
    const [signature, message] = [fromHex(vector.signature), fromHex(vector.message)];
    expect(await verifySignature("ed25519", spki, signature, message)).toBe(true);
    const neutral = concat(prefix, Uint8Array.of(1), new Uint8Array(31));
    const forged = concat(Uint8Array.of(1), new Uint8Array(63));
    expect(await verifySignature("ed25519", neutral, forged, message)).toBe(false);
  });
});

describe.each([
  ["ecdsa_secp256r1_sha256_test.json", "ecdsa_secp256r1_sha256"],
  ["ecdsa_secp384r1_sha384_test.json", "ecdsa_secp384r1_sha384"],
  ["ecdsa_secp521r1_sha512_test.json", "ecdsa_secp521r1_sha512"],
  ["rsa_pss_2048_sha256_mgf1_32_test.json", "rsa_pss_rsae_sha256"],
  ["rsa_signature_2048_sha256_test.json", "rsa_pkcs1_sha256"],
  ["ed25519_test.json", "ed25519"],
] as const)("%s", (file, scheme) => {
  describeWycheproof(file, (groups) => {
    it("agrees in every case", async () => {
      for (const group of groups()) {
        for (const test of group.tests) {
          const spki = bytes(group.publicKeyDer);
          const accepted = await verifySignature(scheme, spki, bytes(test.sig), bytes(test.msg));
          const message = `case ${test.tcId}: ${test.comment}`;
          if (test.result !== "acceptable") expect(accepted, message).toBe(test.result === "valid");
        }
      }
    });
  });
});
