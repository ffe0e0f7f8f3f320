// Parsing of X.509 certificates: the kinds that relays have, and everything that is not quite a certificate.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { utf8 } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { verifySignature } from "../../src/crypto/signature.ts";
import { parseCertificate } from "../../src/tls/x509/certificate.ts";
import {
  type CertificateParts,
  der,
  makeCertificate,
  makeKey,
  nameOf,
  oid,
  SEQUENCE,
  SET,
  SIGNATURES,
} from "./make-certificate.ts";
import { clientAuthentication, simple } from "./rfc8448.ts";

const identity = makeKey("rsa", 1024);
const link = makeKey("rsa", 2048);
const p256 = makeKey("ec", "prime256v1");
const none = new Uint8Array(0);
const integer = (...bytes: number[]) => der(0x02, Uint8Array.from(bytes));
const utcTime = (text: string) => der(0x17, utf8(text));
const generalizedTime = (text: string) => der(0x18, utf8(text));
const validity = (from: Uint8Array, to: Uint8Array) => der(SEQUENCE, from, to);

/** [3] EXPLICIT Extensions. */
const extensions = (...list: Uint8Array[]) => der(0xa3, der(SEQUENCE, ...list));
const extension = (id: string, ...rest: Uint8Array[]) => der(SEQUENCE, oid(id), ...rest);
const octets = (...bytes: number[]) => der(0x04, Uint8Array.from(bytes));

describe("parseCertificate", () => {
  it("reads a relay's link certificate: version 3, no extensions, signed by another key", async () => {
    const bytes = makeCertificate(link, identity);
    const certificate = parseCertificate(bytes);
    expect(certificate).toMatchObject({
      version: 3,
      serial: Uint8Array.of(0x12, 0x34, 0x56),
      issuer: { raw: nameOf("www.issuer.example"), commonName: "www.issuer.example" },
      subject: { raw: nameOf("www.subject.example"), commonName: "www.subject.example" },
      notBefore: Date.UTC(2026, 0, 1),
      notAfter: Date.UTC(2051, 0, 2, 3, 4, 5),
      extensions: [],
      signatureAlgorithm: { oid: "1.2.840.113549.1.1.11", raw: SIGNATURES.rsa() },
    });
    expect(certificate.publicKey).toMatchObject({ algorithm: "rsa", bits: 2048, spki: link.spki });
    expect(certificate.der).toEqual(bytes);
    const { tbs, signature } = certificate;
    expect(await verifySignature("rsa_pkcs1_sha256", identity.spki, signature, tbs)).toBe(true);
    expect(await verifySignature("rsa_pkcs1_sha256", link.spki, signature, tbs)).toBe(false);
  });

  it.each([
    [1, none],
    [2, der(0xa0, integer(1))],
    [3, der(0xa0, integer(2))],
  ])("reads an RSA-1024 identity certificate of version %i", (version, field) => {
    const certificate = parseCertificate(makeCertificate(identity, identity, { version: field }));
    expect(certificate.version).toBe(version);
    expect(certificate.publicKey).toMatchObject({ algorithm: "rsa", bits: 1024 });
  });

  it("gives the RSA key as PKCS#1 RSAPublicKey", () => {
    const expected = identity.privateKey.export({ type: "pkcs1", format: "der" });
    const { publicKey } = parseCertificate(makeCertificate(identity));
    // The private form holds the same modulus, right after its version.
    const modulus = Buffer.from(publicKey.key).subarray(4, 4 + 132);
    expect(expected.includes(modulus)).toBe(true);
  });

  it.each([
    ["prime256v1", "P-256", 65],
    ["secp384r1", "P-384", 97],
    ["secp521r1", "P-521", 133],
  ])("reads a key on %s", (name, curve, length) => {
    const { publicKey } = parseCertificate(makeCertificate(makeKey("ec", name)));
    expect(publicKey).toMatchObject({ algorithm: "ec", curve });
    expect(publicKey.key).toHaveLength(length);
  });

  it("reads an Ed25519 key, and names kinds that it does not know", () => {
    const { publicKey } = parseCertificate(makeCertificate(makeKey("ed25519")));
    expect(publicKey).toMatchObject({ algorithm: "ed25519" });
    expect(publicKey.key).toHaveLength(32);
    const other = makeCertificate(makeKey("ec", "secp256k1"));
    expect(parseCertificate(other).publicKey).toMatchObject({
      algorithm: "unknown",
      oid: "1.2.840.10045.2.1",
    });
  });

  it("reads the certificates of RFC 8448", () => {
    const rsa = parseCertificate(simple.certificateMessage.slice(11, -2));
    expect(rsa).toMatchObject({ version: 3, subject: { commonName: "rsa" } });
    expect(rsa.publicKey).toMatchObject({ algorithm: "rsa", bits: 1024 });
    expect(rsa.notBefore).toBe(Date.UTC(2016, 6, 30, 1, 23, 59));
    expect(rsa.extensions.map(({ oid: id, critical }) => [id, critical])).toEqual([
      ["2.5.29.19", false],
      ["2.5.29.15", false],
    ]);
    const ecdsa = parseCertificate(clientAuthentication.certificateMessage.slice(11, -2));
    expect(ecdsa.publicKey).toMatchObject({ algorithm: "ec", curve: "P-256" });
  });

  it("keeps extensions in order with their critical flags", () => {
    const list = extensions(
      extension("2.5.29.19", der(0x01, Uint8Array.of(0xff)), octets(0x30, 0)),
      extension("2.5.29.17", octets(1, 2, 3)),
    );
    expect(parseCertificate(makeCertificate(p256, p256, { extensions: list })).extensions).toEqual([
      { oid: "2.5.29.19", critical: true, value: Uint8Array.of(0x30, 0) },
      { oid: "2.5.29.17", critical: false, value: Uint8Array.of(1, 2, 3) },
    ]);
  });

  it.each([
    ["491231235959Z", Date.UTC(2049, 11, 31, 23, 59, 59)],
    ["500101000000Z", Date.UTC(1950, 0, 1)],
    ["000229120000Z", Date.UTC(2000, 1, 29, 12)],
  ])("reads the two-digit year of %s", (text, expected) => {
    const parts = { validity: validity(utcTime(text), generalizedTime("99991231235959Z")) };
    const { notBefore, notAfter } = parseCertificate(makeCertificate(p256, p256, parts));
    expect(notBefore).toBe(expected);
    expect(notAfter).toBe(Date.UTC(9999, 11, 31, 23, 59, 59));
  });

  it("reads names of several parts, and of none", () => {
    const part = (id: string, tag: number, text: string) => der(SEQUENCE, oid(id), der(tag, utf8(text)));
    const name = der(
      SEQUENCE,
      der(SET, part("2.5.4.6", 0x13, "XX"), part("2.5.4.10", 0x0c, "Org")),
      der(SET, part("2.5.4.3", 0x13, "Plain")),
    );
    const parts = { subject: name, issuer: der(SEQUENCE) };
    const certificate = parseCertificate(makeCertificate(p256, p256, parts));
    expect(certificate.subject.commonName).toBe("Plain");
    expect(certificate.issuer.commonName).toBeUndefined();
  });
});

describe("what is not quite a certificate", () => {
  const now = utcTime("260101000000Z");
  const rsaSpki = (parameters: Uint8Array, ...numbers: Uint8Array[]) =>
    der(
      SEQUENCE,
      der(SEQUENCE, oid("1.2.840.113549.1.1.1"), parameters),
      der(0x03, Uint8Array.of(0), der(SEQUENCE, ...numbers)),
    );
  const exponent = integer(1, 0, 1);
  const nullValue = der(0x05);
  const broken: [string, Partial<CertificateParts>][] = [
    ["version 1 spelled out", { version: der(0xa0, integer(0)) }],
    ["version 4", { version: der(0xa0, integer(3)) }],
    ["an empty serial number", { serial: integer() }],
    ["a serial number of 22 bytes", { serial: der(0x02, new Uint8Array(22).fill(1)) }],
    ["two different signature algorithms", { outerAlgorithm: SIGNATURES.ed25519() }],
    ["a month 13", { validity: validity(utcTime("261301000000Z"), now) }],
    ["30 February", { validity: validity(utcTime("260230000000Z"), now) }],
    ["29 February of a common year", { validity: validity(utcTime("260229000000Z"), now) }],
    ["an hour 24", { validity: validity(utcTime("260101240000Z"), now) }],
    ["a second 60", { validity: validity(utcTime("260101000060Z"), now) }],
    ["a time without seconds", { validity: validity(utcTime("2601010000Z"), now) }],
    ["a time with a zone", { validity: validity(utcTime("260101000000+0100"), now) }],
    ["a fraction of a second", { validity: validity(generalizedTime("20260101000000.5Z"), now) }],
    ["a third time", { validity: der(SEQUENCE, now, now, now) }],
    ["an empty part of a name", { subject: der(SEQUENCE, der(SET)) }],
    [
      "a name that is not UTF-8",
      { subject: der(SEQUENCE, der(SET, der(SEQUENCE, oid("2.5.4.3"), der(0x0c, Uint8Array.of(0xff))))) },
    ],
    ["extensions in version 1", { version: none, extensions: extensions(extension("2.5.29.17", octets(1))) }],
    ["an empty list of extensions", { extensions: extensions() }],
    [
      "an extension twice",
      { extensions: extensions(extension("2.5.29.17", octets(1)), extension("2.5.29.17", octets(2))) },
    ],
    [
      "critical FALSE spelled out",
      { extensions: extensions(extension("2.5.29.17", der(0x01, Uint8Array.of(0)), octets(1))) },
    ],
    [
      "critical as 1",
      { extensions: extensions(extension("2.5.29.17", der(0x01, Uint8Array.of(1)), octets(1))) },
    ],
    [
      "something after the extensions",
      { extensions: concat(extensions(extension("2.5.29.17", octets(1))), nullValue) },
    ],
    ["RSA parameters", { spki: rsaSpki(integer(1), integer(0x00, 0x91), exponent) }],
    ["no RSA parameters", { spki: rsaSpki(none, integer(0x00, 0x91), exponent) }],
    ["a negative RSA modulus", { spki: rsaSpki(nullValue, integer(0x91), exponent) }],
    ["an RSA modulus of zero", { spki: rsaSpki(nullValue, integer(0), exponent) }],
    ["an RSA modulus with a needless zero", { spki: rsaSpki(nullValue, integer(0, 0x11), exponent) }],
    ["an RSA key without exponent", { spki: rsaSpki(nullValue, integer(0x11)) }],
    ["an RSA key of three numbers", { spki: rsaSpki(nullValue, integer(0x11), exponent, exponent) }],
    [
      "an RSA modulus of 20000 bits",
      { spki: rsaSpki(nullValue, der(0x02, new Uint8Array(2500).fill(0x11)), exponent) },
    ],
    ["a signature with unused bits", { signature: der(0x03, Uint8Array.of(1, 2)) }],
  ];
  it.each(broken)("with %s is refused", (_name, parts) => {
    const bytes = makeCertificate(p256, p256, parts);
    expect(() => parseCertificate(bytes)).toThrow(expect.objectContaining({ code: "ALLIUM_E_X509" }));
  });

  it("is refused with a byte more or less", () => {
    const bytes = makeCertificate(link, identity);
    expect(() => parseCertificate(concat(bytes, Uint8Array.of(0)))).toThrow(/malformed/);
    expect(() => parseCertificate(bytes.slice(0, -1))).toThrow(/malformed/);
    expect(() => parseCertificate(none)).toThrow(/malformed/);
    expect(() => parseCertificate(new Uint8Array(2 ** 16 + 1))).toThrow(/65537 bytes/);
  });
});

describe("fuzzing", () => {
  const onlyTorErrors = (bytes: Uint8Array) => {
    try {
      parseCertificate(bytes);
    } catch (error) {
      if (!isTorError(error) || error.code !== "ALLIUM_E_X509") throw error;
    }
  };

  it("never throws anything but TorError on any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), onlyTorErrors), { numRuns: 2000 });
  });

  it("never throws anything but TorError on a changed certificate", () => {
    const originals = [
      makeCertificate(link, identity),
      makeCertificate(p256, p256, { extensions: extensions(extension("2.5.29.17", octets(1, 2))) }),
      simple.certificateMessage.slice(11, -2),
    ];
    const change = fc.record({
      original: fc.constantFrom(...originals),
      edits: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
      cut: fc.option(fc.nat()),
    });
    fc.assert(
      fc.property(change, ({ original, edits, cut }) => {
        const bytes = original.slice();
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        onlyTorErrors(cut === null ? bytes : bytes.slice(0, cut % bytes.length));
      }),
      { numRuns: 4000 },
    );
  });
});
