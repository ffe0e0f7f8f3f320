// Makes X.509 certificates for tests with a few lines of DER, so that each field can be bent.

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { concat } from "../../src/base/bytes.ts";
import { utf8 } from "../../src/base/encoding.ts";

/** One DER element. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(...parts);
  const length = body.length;
  if (length < 128) return concat(Uint8Array.of(tag, length), body);
  if (length < 256) return concat(Uint8Array.of(tag, 0x81, length), body);
  return concat(Uint8Array.of(tag, 0x82, length >> 8, length & 255), body);
}

export const SEQUENCE = 0x30;
export const SET = 0x31;

export function oid(text: string): Uint8Array {
  const [first, second, ...rest] = text.split(".").map(Number) as [number, number, ...number[]];
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 127];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 127) | 128);
    bytes.push(...groups);
  }
  return der(0x06, Uint8Array.from(bytes));
}

export function nameOf(commonName: string): Uint8Array {
  return der(SEQUENCE, der(SET, der(SEQUENCE, oid("2.5.4.3"), der(0x0c, utf8(commonName)))));
}

export const SIGNATURES = {
  rsa: () => der(SEQUENCE, oid("1.2.840.113549.1.1.11"), der(0x05)),
  ec: () => der(SEQUENCE, oid("1.2.840.10045.4.3.2")),
  ed25519: () => der(SEQUENCE, oid("1.3.101.112")),
};

/** Parts of a certificate, each whole DER elements. */
export interface CertificateParts {
  version: Uint8Array;
  serial: Uint8Array;
  signatureAlgorithm: Uint8Array;
  issuer: Uint8Array;
  validity: Uint8Array;
  subject: Uint8Array;
  spki: Uint8Array;
  extensions: Uint8Array;
  outerAlgorithm: Uint8Array;
  signature: Uint8Array;
}

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
  readonly kind: keyof typeof SIGNATURES;
}

export function makeKey(kind: keyof typeof SIGNATURES, size: number | string = ""): TestKey {
  const pair =
    kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: Number(size) })
      : kind === "ec"
        ? generateKeyPairSync("ec", { namedCurve: String(size) })
        : generateKeyPairSync("ed25519");
  const spki = new Uint8Array(pair.publicKey.export({ type: "spki", format: "der" }));
  return { privateKey: pair.privateKey, spki, kind };
}

/** A v3 certificate without extensions, as relays have them, with any part replaced. */
export function makeCertificate(
  subjectKey: TestKey,
  signer: TestKey = subjectKey,
  parts: Partial<CertificateParts> = {},
): Uint8Array {
  const algorithm = SIGNATURES[signer.kind]();
  const all: CertificateParts = {
    version: der(0xa0, der(0x02, Uint8Array.of(2))),
    serial: der(0x02, Uint8Array.of(0x12, 0x34, 0x56)),
    signatureAlgorithm: algorithm,
    issuer: nameOf("www.issuer.example"),
    validity: der(SEQUENCE, der(0x17, utf8("260101000000Z")), der(0x18, utf8("20510102030405Z"))),
    subject: nameOf("www.subject.example"),
    spki: subjectKey.spki,
    extensions: new Uint8Array(0),
    outerAlgorithm: algorithm,
    signature: new Uint8Array(0),
    ...parts,
  };
  const tbs = der(
    SEQUENCE,
    all.version,
    all.serial,
    all.signatureAlgorithm,
    all.issuer,
    all.validity,
    all.subject,
    all.spki,
    all.extensions,
  );
  const digest = signer.kind === "ed25519" ? null : "sha256";
  const signature =
    all.signature.length > 0
      ? all.signature
      : der(0x03, Uint8Array.of(0), new Uint8Array(sign(digest, tbs, signer.privateKey)));
  return der(SEQUENCE, tbs, all.outerAlgorithm, signature);
}
