import { expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { rsaId } from "../../src/crypto/rsa.ts";
import { checkEd25519Certificate, parseEd25519Certificate } from "../../src/link/certs/ed25519-cert.ts";
import { checkCrossCert, readRsaIdentity } from "../../src/link/certs/rsa-certs.ts";
import { ed25519Key, RelayKeys } from "./relay-certs.ts";
import { hex, recordedCerts, recordedEd25519Id, recordedRsaId, recordedSigningKey } from "./vectors.ts";

const signing = { role: "SIGNING", certType: 4, keyType: 1, signer: recordedEd25519Id } as const;
const link = { role: "LINK", certType: 5, keyType: 3, signer: recordedSigningKey } as const;
const code = (rule: string) => expect.objectContaining({ code: `ALLIUM_E_CERT_${rule}` });

it("reads and verifies a recorded signing certificate", () => {
  const certificate = parseEd25519Certificate(recordedCerts[4]);
  expect(toHex(certificate.certifiedKey)).toBe(toHex(recordedSigningKey));
  expect(toHex(certificate.signedWith ?? new Uint8Array(0))).toBe(toHex(recordedEd25519Id));
  expect(certificate.expires).toBe(Date.UTC(2020, 9, 26, 18));
  checkEd25519Certificate(certificate, signing);
});

it("reads and verifies a recorded link certificate", () => {
  const certificate = parseEd25519Certificate(recordedCerts[5]);
  expect(certificate.signedWith).toBeUndefined();
  expect(certificate.expires).toBe(Date.UTC(2020, 8, 28, 18));
  checkEd25519Certificate(certificate, link);
});

it("reads and verifies a recorded RSA identity with its cross-certificate", () => {
  const identity = readRsaIdentity(recordedCerts[2]);
  expect(toHex(rsaId(identity.key))).toBe(toHex(recordedRsaId));
  expect(identity.notBefore).toBe(Date.UTC(2020, 7, 10));
  expect(identity.notAfter).toBe(Date.UTC(2021, 7, 10));
  expect(checkCrossCert(recordedCerts[7], identity.key, recordedEd25519Id)).toBe(0x0006da3a * 3600_000);
});

it("refuses recorded certificates with a wrong version, a long key, or an unknown critical extension", () => {
  const withExtension = (extension: string) =>
    hex(`
    01 04 0006CC2A 01 F82294B866A31F01FC5D0DA8572850A9B929545C3266558D7D2316E3B74172B0
    01 ${extension} DCB604DB2034B00FD16986D4ADB9D16B21CB4E4457A33DEC0F538903683E96E9FF
    FF1A5203FA27F86EF7528D89A0845D2520166E340754FFEA2AAE0F612B7CE5DA
    094A0236CDAC45034B0B6842C18E7F6B51B93A3CF7E60663B8AD061C30A62602`);
  expect(() => parseEd25519Certificate(hex("03"))).toThrow(code("ED25519_VERSION"));
  expect(() => parseEd25519Certificate(withExtension("0021 04 00"))).toThrow(code("ED25519_EXTENSION"));
  expect(() => parseEd25519Certificate(withExtension("0020 09 01"))).toThrow(code("CRITICAL_EXTENSION"));
});

it("refuses a certificate that is cut anywhere, or that goes on", () => {
  for (let length = 0; length < recordedCerts[4].length; length++) {
    expect(() => parseEd25519Certificate(recordedCerts[4].slice(0, length))).toThrow(code("ED25519_LENGTH"));
  }
  const longer = new Uint8Array([...recordedCerts[4], 0]);
  expect(() => parseEd25519Certificate(longer)).toThrow(code("ED25519_LENGTH"));
});

it("refuses a certificate when a bit in any of its bytes is changed", () => {
  for (const [bytes, expected] of [
    [recordedCerts[4], signing],
    [recordedCerts[5], link],
  ] as const) {
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i] = (changed[i] as number) ^ (1 << (i % 8));
      expect(() => checkEd25519Certificate(parseEd25519Certificate(changed), expected)).toThrow(
        expect.objectContaining({ kind: "protocol-violation" }),
      );
    }
  }
});

it("passes over an unknown extension that does not affect validation", () => {
  const keys = new RelayKeys();
  const extensions = [
    { type: 9, flags: 0xfe, data: Uint8Array.of(1, 2, 3) },
    { type: 4, flags: 1, data: keys.ed25519.id },
  ];
  const certificate = parseEd25519Certificate(keys.signingCert({ extensions }));
  checkEd25519Certificate(certificate, { ...signing, signer: keys.ed25519.id });
});

it("refuses a second signing key, and one that is not the signer's", () => {
  const keys = new RelayKeys();
  const other = ed25519Key();
  const named = (...ids: Uint8Array[]) => ids.map((data) => ({ type: 4, flags: 0, data }));
  const twice = keys.linkCert({ extensions: named(keys.signing.id, keys.signing.id) });
  expect(() => parseEd25519Certificate(twice)).toThrow(code("ED25519_EXTENSION"));
  const wrong = parseEd25519Certificate(keys.linkCert({ extensions: named(other.id) }));
  expect(() => checkEd25519Certificate(wrong, { ...link, signer: keys.signing.id })).toThrow(
    code("LINK_SIGNER"),
  );
});
