// The compliance suite of the Ciphers port: published vectors, then what a client relies upon beside them.

import { concat } from "../base/bytes.ts";
import { fromHex } from "../base/encoding.ts";
import type { Ciphers } from "../base/ports.ts";
import { type Case, check, checkBytes, numberedBytes } from "./case.ts";

/** The GCM specification's (McGrew and Viega) test cases 4 and 16: one message under two keys. */
const GCM = {
  nonce: "cafebabefacedbaddecaf888",
  aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
  plaintext:
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
} as const;
const GCM_KEYS = [
  {
    name: "AES-128-GCM",
    key: "feffe9928665731c6d6a8f9467308308",
    sealed:
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
  },
  {
    name: "AES-256-GCM",
    key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
    sealed:
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
  },
] as const;

/** NIST SP 800-38A F.5.1 and F.5.5. */
const CTR = {
  counter: "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
  plaintext:
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
} as const;
const CTR_KEYS = [
  {
    name: "AES-128-CTR",
    key: "2b7e151628aed2a6abf7158809cf4f3c",
    ciphertext:
      "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
  },
  {
    name: "AES-256-CTR",
    key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    ciphertext:
      "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
  },
] as const;

/** What every Ciphers does. */
export function cipherCases(ciphers: Ciphers): readonly Case[] {
  return [
    ...GCM_KEYS.map((key) => gcmVector(ciphers, key)),
    ...gcmRules(ciphers),
    ...CTR_KEYS.map((key) => ctrVector(ciphers, key)),
    ...ctrRules(ciphers),
  ];
}

function rule(name: string, body: () => void): Case {
  return { name, run: async () => body() };
}

function gcmVector(ciphers: Ciphers, { name, key, sealed }: (typeof GCM_KEYS)[number]): Case {
  return rule(`${name} seals and opens the specification's test case`, () => {
    const cipher = ciphers.gcm(fromHex(key));
    const [nonce, aad, plaintext] = [GCM.nonce, GCM.aad, GCM.plaintext].map(fromHex) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    checkBytes(cipher.seal(nonce, aad, plaintext), fromHex(sealed), "the ciphertext with its tag");
    checkBytes(cipher.open(nonce, aad, fromHex(sealed)), plaintext, "the plaintext");
  });
}

function gcmRules(ciphers: Ciphers): readonly Case[] {
  const key = numberedBytes(32, 1);
  const nonce = numberedBytes(12, 2);
  const aad = numberedBytes(5, 3);
  const plaintext = numberedBytes(1000, 4);
  const seal = () => ciphers.gcm(key).seal(nonce, aad, plaintext);
  const refused = (change: (sealed: Uint8Array) => Uint8Array, withNonce = nonce, withAad = aad) =>
    ciphers.gcm(key).open(withNonce, withAad, change(seal())) === undefined;
  return [
    rule("AES-GCM refuses a changed ciphertext, tag, nonce or associated data", () => {
      for (const at of [0, 500, 999, 1000, 1015])
        check(
          refused((sealed) => flipped(sealed, at)),
          `byte ${at} may be changed`,
        );
      check(
        refused((sealed) => sealed, flipped(nonce, 11)),
        "the nonce may be changed",
      );
      check(
        refused((sealed) => sealed, nonce, flipped(aad, 0)),
        "the associated data may be changed",
      );
      check(
        refused((sealed) => sealed, nonce, new Uint8Array(0)),
        "the associated data may be left out",
      );
    }),
    rule("AES-GCM refuses what is too short or too long, whole tags only", () => {
      for (const length of [0, 4, 12, 15, 16, 999, 1015])
        check(
          refused((sealed) => sealed.subarray(0, length)),
          `${length} bytes of it pass`,
        );
      check(
        refused((sealed) => concat(sealed, Uint8Array.of(0))),
        "one byte more passes",
      );
    }),
    rule("AES-GCM takes no plaintext and no associated data at all", () => {
      const nothing = new Uint8Array(0);
      const cipher = ciphers.gcm(key);
      const sealed = cipher.seal(nonce, nothing, nothing);
      check(sealed.length === 16, `${sealed.length} bytes`);
      checkBytes(cipher.open(nonce, nothing, sealed), nothing, "nothing");
    }),
    rule("AES-GCM goes on after a refusal, and keeps its key when the caller's copy changes", () => {
      const mine = key.slice();
      const cipher = ciphers.gcm(mine);
      mine.fill(0);
      check(cipher.open(nonce, aad, flipped(seal(), 7)) === undefined, "a changed ciphertext passes");
      checkBytes(cipher.open(nonce, aad, seal()), plaintext, "the plaintext");
    }),
    rule("AES-GCM takes views into larger buffers, leaves them alone and gives out bytes of its own", () => {
      const large = concat(new Uint8Array(3), plaintext, new Uint8Array(3));
      const view = large.subarray(3, 3 + plaintext.length);
      const sealed = ciphers.gcm(key).seal(nonce, aad, view);
      const [kept, before] = [sealed.slice(), large.slice()];
      const opened = ciphers.gcm(key).open(nonce, aad, sealed);
      checkBytes(large, before, "the plaintext's buffer");
      checkBytes(sealed, kept, "the ciphertext");
      sealed.fill(0);
      checkBytes(opened, plaintext, "the plaintext");
    }),
  ];
}

function ctrVector(ciphers: Ciphers, { name, key, ciphertext }: (typeof CTR_KEYS)[number]): Case {
  return rule(`${name} gives the keystream of SP 800-38A`, () => {
    const plaintext = fromHex(CTR.plaintext);
    const stream = ciphers.ctr(fromHex(key), fromHex(CTR.counter)).next(plaintext.length);
    checkBytes(
      stream.map((byte, i) => byte ^ (plaintext[i] as number)),
      fromHex(ciphertext),
      "the ciphertext",
    );
  });
}

function ctrRules(ciphers: Ciphers): readonly Case[] {
  const key = numberedBytes(16, 5);
  const start = new Uint8Array(16);
  return [
    rule("AES-CTR gives one stream in whatever pieces", () => {
      const whole = ciphers.ctr(key, start).next(4096);
      const cipher = ciphers.ctr(key, start);
      const pieces = [1, 15, 16, 17, 509, 0, 1000, 2538].map((length) => cipher.next(length));
      checkBytes(concat(...pieces), whole, "the stream");
    }),
    rule("AES-CTR counts over all 128 bits", () => {
      const last = new Uint8Array(16).fill(0xff);
      const [around, zero] = [ciphers.ctr(key, last).next(48), ciphers.ctr(key, start).next(32)];
      checkBytes(around.subarray(16), zero, "what follows the last counter");
    }),
    rule("AES-CTR gives bytes that nobody else changes, and keeps its key and counter", () => {
      const [mine, counter] = [key.slice(), start.slice()];
      const cipher = ciphers.ctr(mine, counter);
      mine.fill(7);
      counter.fill(7);
      const first = cipher.next(64);
      const kept = first.slice();
      const second = cipher.next(64);
      checkBytes(first, kept, "the first piece");
      first.fill(0);
      checkBytes(concat(kept, second), ciphers.ctr(key, start).next(128), "the stream");
    }),
    rule("two AES-CTR streams do not disturb each other", () => {
      const [one, other] = [ciphers.ctr(key, start), ciphers.ctr(key, start)];
      const mixed = [one.next(20), other.next(7), one.next(20), other.next(33)];
      checkBytes(
        concat(mixed[0] as Uint8Array, mixed[2] as Uint8Array),
        concat(mixed[1] as Uint8Array, mixed[3] as Uint8Array),
        "the same 40 bytes",
      );
    }),
  ];
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = (changed[at] as number) ^ 1;
  return changed;
}
