// AEADs by each cipher that may serve: the platform's synchronous ones, WebCrypto, and the library for ChaCha20-Poly1305.

import { describe, expect, it } from "vitest";
import { nodeCiphers } from "../../../bridge/src/node-ciphers.ts";
import { fromHex, toHex, utf8 } from "../../src/base/encoding.ts";
import { type AeadKey, type AeadKind, importAeadKey } from "../../src/crypto/aead.ts";
import { pattern } from "./patterns.ts";
import { bytes, describeWycheproof } from "./wycheproof.ts";

const KINDS: readonly [AeadKind, number][] = [
  ["aes-128-gcm", 16],
  ["aes-256-gcm", 32],
  ["chacha20-poly1305", 32],
];
const REFUSED = { kind: "protocol-violation", code: "ALLIUM_E_AEAD" };
const CIPHERS = [
  ["without the platform's ciphers", undefined],
  ["with the platform's ciphers", nodeCiphers()],
] as const;

/** A refusal as a rejection, whether it was thrown or came later. */
async function open(key: AeadKey, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array) {
  return key.open(nonce, aad, sealed);
}

it("ChaCha20-Poly1305, whose key is ours and not the platform's, overwrites it when it is destroyed", async () => {
  const key = await importAeadKey("chacha20-poly1305", pattern(32, 1));
  const zeros = await importAeadKey("chacha20-poly1305", new Uint8Array(32));
  const sealed = await key.seal(pattern(12, 2), pattern(5, 3), utf8("text"));
  key.destroy();
  await expect(open(key, pattern(12, 2), pattern(5, 3), sealed)).rejects.toMatchObject(REFUSED);
  expect(await key.seal(pattern(12, 2), pattern(5, 3), utf8("text"))).toEqual(
    await zeros.seal(pattern(12, 2), pattern(5, 3), utf8("text")),
  );
});

describe.each(CIPHERS)("AEAD vectors %s", (_, ciphers) => {
  // The GCM specification's test cases 4 and 16.
  const gcm = {
    nonce: "cafebabefacedbaddecaf888",
    aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    plaintext:
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
  };
  it.each([
    {
      kind: "aes-128-gcm" as const,
      key: "feffe9928665731c6d6a8f9467308308",
      ...gcm,
      ciphertext:
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" +
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" +
        "5bc94fbc3221a5db94fae95ae7121a47",
    },
    {
      kind: "aes-256-gcm" as const,
      key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
      ...gcm,
      ciphertext:
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" +
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" +
        "76fc6ece0f4e1768cddf8853bb2d551b",
    },
    {
      // RFC 8439 2.8.2
      kind: "chacha20-poly1305" as const,
      key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
      nonce: "070000004041424344454647",
      aad: "50515253c0c1c2c3c4c5c6c7",
      plaintext: toHex(
        utf8(
          "Ladies and Gentlemen of the class of '99: " +
            "If I could offer you only one tip for the future, sunscreen would be it.",
        ),
      ),
      ciphertext:
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b" +
        "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
        "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
    },
  ])("$kind seals and opens the standard's example", async (vector) => {
    const key = await importAeadKey(vector.kind, fromHex(vector.key), ciphers);
    const [nonce, aad] = [fromHex(vector.nonce), fromHex(vector.aad)];
    expect(toHex(await key.seal(nonce, aad, fromHex(vector.plaintext)))).toBe(vector.ciphertext);
    expect(toHex(await key.open(nonce, aad, fromHex(vector.ciphertext)))).toBe(vector.plaintext);
  });
});

describe.each(
  KINDS.flatMap(([kind, size]) => CIPHERS.map(([how, ciphers]) => [kind, how, size, ciphers] as const)),
)("%s %s", (kind, _, size, ciphers) => {
  it("refuses every changed byte of ciphertext, tag, additional data and nonce", async () => {
    const key = await importAeadKey(kind, pattern(size, 1), ciphers);
    const [nonce, aad, text] = [pattern(12, 2), pattern(5, 3), pattern(40, 4)];
    const sealed = await key.seal(nonce, aad, text);
    expect(await key.open(nonce, aad, sealed)).toEqual(text);
    for (const input of [nonce, aad, sealed]) {
      for (let i = 0; i < input.length; i++) {
        input[i] = (input[i] as number) ^ 0x10;
        await expect(open(key, nonce, aad, sealed)).rejects.toMatchObject(REFUSED);
        input[i] = (input[i] as number) ^ 0x10;
      }
    }
    await expect(open(key, nonce, aad, sealed.subarray(0, -1))).rejects.toMatchObject(REFUSED);
    await expect(open(key, nonce, aad, new Uint8Array(0))).rejects.toMatchObject(REFUSED);
  });

  it("keeps a copy of the key", async () => {
    const raw = Buffer.from(pattern(size, 1));
    const key = await importAeadKey(kind, raw, ciphers);
    const same = await importAeadKey(kind, pattern(size, 1), ciphers);
    raw.fill(0);
    const [nonce, none] = [new Uint8Array(12), new Uint8Array(0)];
    expect(await key.seal(nonce, none, none)).toEqual(await same.seal(nonce, none, none));
  });

  it("gives its results at once just where the cipher is synchronous", async () => {
    const atOnce = kind === "chacha20-poly1305" || ciphers !== undefined;
    const key = await importAeadKey(kind, pattern(size, 1), ciphers);
    const [nonce, aad, text] = [pattern(12, 2), pattern(5, 3), pattern(40, 4)];
    const sealing = key.seal(nonce, aad, text);
    expect(sealing instanceof Promise).toBe(!atOnce);
    const sealed = await sealing;
    const opening = key.open(nonce, aad, sealed);
    expect(opening instanceof Promise).toBe(!atOnce);
    expect(await opening).toEqual(text);
    sealed[0] = (sealed[0] as number) ^ 1;
    if (atOnce) expect(() => key.open(nonce, aad, sealed)).toThrow(expect.objectContaining(REFUSED));
    else {
      const refused = key.open(nonce, aad, sealed);
      expect(refused).toBeInstanceOf(Promise);
      await expect(refused).rejects.toMatchObject(REFUSED);
    }
  });

  it("gives results that nothing done later changes, and leaves its input alone", async () => {
    const key = await importAeadKey(kind, pattern(size, 1), ciphers);
    const [nonce, aad] = [pattern(12, 2), pattern(5, 3)];
    const texts = Array.from({ length: 20 }, (_, i) => pattern(1 + 50 * i, i));
    const sealed = await Promise.all(texts.map((text) => key.seal(nonce, aad, text)));
    const before = sealed.map((each) => toHex(each));
    const plain = await Promise.all(sealed.map((each) => key.open(nonce, aad, each)));
    expect(plain).toEqual(texts);
    // A Buffer's slice() would share memory.
    const copies = plain.map((each) => each.slice());
    for (const each of plain) each.fill(0);
    expect(copies).toEqual(texts);
    expect(sealed.map((each) => toHex(each))).toEqual(before);
    expect([nonce, aad]).toEqual([pattern(12, 2), pattern(5, 3)]);
  });
});

const gcmOf = (bits: number): AeadKind | undefined =>
  bits === 128 ? "aes-128-gcm" : bits === 256 ? "aes-256-gcm" : undefined;

describe.each([
  ["aes_gcm_test.json", "by WebCrypto", gcmOf, undefined],
  ["aes_gcm_test.json", "by the platform's ciphers", gcmOf, nodeCiphers()],
  ["chacha20_poly1305_test.json", "by the library", (): AeadKind => "chacha20-poly1305", undefined],
] as const)("%s %s", (file, _, kindOf, ciphers) => {
  describeWycheproof(file, (groups) => {
    it("agrees in every case with a nonce of 12 bytes", async () => {
      let run = 0;
      for (const group of groups()) {
        const kind = kindOf(group.keySize as number);
        if (kind === undefined || group.ivSize !== 96) continue;
        for (const test of group.tests) {
          run++;
          const key = await importAeadKey(kind, bytes(test.key), ciphers);
          const [nonce, aad] = [bytes(test.iv), bytes(test.aad)];
          const sealed = (test.ct as string) + (test.tag as string);
          const opened = open(key, nonce, aad, fromHex(sealed));
          if (test.result === "valid") {
            expect(toHex(await opened), `case ${test.tcId}`).toBe(test.msg);
            expect(toHex(await key.seal(nonce, aad, bytes(test.msg))), `case ${test.tcId}`).toBe(sealed);
          } else await expect(opened, `case ${test.tcId}`).rejects.toMatchObject(REFUSED);
        }
      }
      expect(run).toBeGreaterThan(60);
    });
  });
});
