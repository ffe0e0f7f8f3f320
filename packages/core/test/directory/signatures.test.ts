import { beforeAll, describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "../../src/base/encoding.ts";
import type { NetworkConfig } from "../../src/directory/api.ts";
import { type Consensus, parseConsensus } from "../../src/directory/documents/consensus.ts";
import { type KeyCertificate, parseKeyCertificates } from "../../src/directory/documents/key-certificate.ts";
import {
  configuredAuthorities,
  countSignatures,
  missingCertificates,
  requireSignatures,
} from "../../src/directory/signatures.ts";
import { HOUR, NOW, networkOf, rsaKey, TestAuthority, testRelay, unsignedConsensus } from "./builder.ts";
import { VECTOR_TIME, vector } from "./vectors.ts";

const five = ["a", "b", "c", "d", "e"].map((name) => new TestAuthority(name));
const [a, b, c, d, e] = five as [TestAuthority, TestAuthority, TestAuthority, TestAuthority, TestAuthority];
const stranger = new TestAuthority("stranger");
const authorities = configuredAuthorities(networkOf(five));
const text = unsignedConsensus({ relays: [testRelay(1)] });
let certificates: KeyCertificate[] = [];
beforeAll(() => {
  certificates = parseKeyCertificates(utf8(five.map((one) => one.certificate()).join("")));
});

function consensus(...signatures: string[]): Promise<Consensus> {
  return parseConsensus(utf8(text + signatures.join("")));
}

const count = (document: Consensus, certs = certificates, now = NOW) =>
  countSignatures(document, authorities, certs, now);

describe("a consensus of a real network", async () => {
  const idents = ["5696AB38CB3852AFA476A5C07B2D4788963D5567", "5A23BA701776C9C1AB1C06E734E92AB3D5350D64"];
  const config = (...v3idents: string[]): NetworkConfig => ({
    authorities: v3idents.map((v3ident) => ({ nickname: "x", v3ident })),
    fallbacks: [],
  });
  const real = await parseConsensus(vector("mdconsensus1"));
  const certs = ["cert-5696", "cert-5A23", "cert-7C47"].flatMap((name) => parseKeyCertificates(vector(name)));

  it("is believed with the certificates of its authorities", async () => {
    const known = configuredAuthorities(config(...idents));
    expect(
      missingCertificates(real, known, [], VECTOR_TIME).map(({ signingKeyId }) => signingKeyId.slice(0, 4)),
    ).toEqual(["F6ED", "D08E"]);
    expect(missingCertificates(real, known, certs, VECTOR_TIME)).toEqual([]);
    expect(countSignatures(real, known, certs, VECTOR_TIME)).toBe(2);
    requireSignatures(real, known, certs, VECTOR_TIME);
  });

  it("is not believed with one of two, nor by others, nor when its certificates have expired", async () => {
    const known = configuredAuthorities(config(...idents));
    const refused = expect.objectContaining({
      kind: "consensus-unverified",
      code: "ALLIUM_E_CONSENSUS_SIGNATURES",
    });
    expect(() => requireSignatures(real, known, certs.slice(0, 1), VECTOR_TIME)).toThrow(refused);
    expect(() => requireSignatures(real, known, certs, Date.UTC(2022, 0, 1))).toThrow(refused);
    const unsigned = await parseConsensus(vector("mdconsensus2"));
    expect(() => requireSignatures(unsigned, known, certs, VECTOR_TIME)).toThrow(refused);
  });

  it("with one bit changed is not", async () => {
    const known = configuredAuthorities(config(...idents));
    const changed = fromUtf8(vector("mdconsensus1")).replace("w Bandwidth=0", "w Bandwidth=1");
    expect(countSignatures(await parseConsensus(utf8(changed)), known, certs, VECTOR_TIME)).toBe(0);
  });
});

describe("signatures count", () => {
  it("from more than half of the configured authorities", async () => {
    requireSignatures(
      await consensus(a.sign(text), b.sign(text), c.sign(text)),
      authorities,
      certificates,
      NOW,
    );
    const two = await consensus(a.sign(text), b.sign(text));
    expect(() => requireSignatures(two, authorities, certificates, NOW)).toThrow(
      /2 of 5 authorities; 3 are needed/,
    );
  });

  it("of an even number, half is not enough", async () => {
    const four = configuredAuthorities(networkOf([a, b, c, d]));
    const document = await consensus(a.sign(text), b.sign(text));
    expect(() => requireSignatures(document, four, certificates, NOW)).toThrow(/2 of 4 authorities; 3/);
  });

  it("once for each authority, however often it signed and with however many keys", async () => {
    expect(count(await consensus(a.sign(text), a.sign(text), a.sign(text)))).toBe(1);
    const second = new TestAuthority("a", a.identity);
    const both = [...certificates, ...parseKeyCertificates(utf8(second.certificate()))];
    expect(count(await consensus(a.sign(text), second.sign(text)), both)).toBe(1);
  });

  it("not from authorities that are not configured", async () => {
    const more = [...certificates, ...parseKeyCertificates(utf8(stranger.certificate()))];
    expect(count(await consensus(a.sign(text), stranger.sign(text)), more)).toBe(1);
  });

  it("even if a broken one of the same authority stands before", async () => {
    expect(count(await consensus(a.sign(text, { over: "other" }), a.sign(text)))).toBe(1);
  });

  it("not when made by a key that is not certified, or is another authority's", async () => {
    expect(count(await consensus(a.sign(text, { key: rsaKey() })))).toBe(0);
    expect(count(await consensus(a.sign(text, { key: b.signing })))).toBe(0);
    expect(count(await consensus(a.sign(text, { identity: b.identity.id })))).toBe(0);
    expect(count(await consensus(a.sign(text, { key: a.identity })))).toBe(0);
  });

  it("not over another text, another part of it, or another digest", async () => {
    expect(count(await consensus(a.sign(text, { over: `${text}x-more\n` })))).toBe(0);
    expect(count(await consensus(a.sign(text, { over: text.slice(1) })))).toBe(0);
    expect(count(await consensus(a.sign(text, { algorithm: "sha1", name: "sha256" })))).toBe(0);
    expect(count(await consensus(a.sign(text).replace("sha256 ", "sha256  ")))).toBe(1);
  });

  it("not with a certificate that has expired or is of tomorrow's tomorrow", async () => {
    const certs = (options: { published: number; expires: number }) =>
      parseKeyCertificates(utf8(a.certificate(options)));
    const document = await consensus(a.sign(text));
    expect(count(document, certs({ published: NOW - HOUR, expires: NOW + 1000 }))).toBe(1);
    expect(count(document, certs({ published: NOW - HOUR, expires: NOW - 1000 }))).toBe(0);
    expect(count(document, certs({ published: NOW + 25 * HOUR, expires: NOW + 99 * HOUR }))).toBe(0);
    expect(count(document, certs({ published: NOW + HOUR, expires: NOW + 99 * HOUR }))).toBe(1);
  });

  it("whose certificates are missing are named, once, for configured authorities only", async () => {
    const document = await consensus(d.sign(text), d.sign(text), e.sign(text), stranger.sign(text));
    const missing = missingCertificates(document, authorities, certificates.slice(0, 4), NOW);
    expect(missing.map(({ identity }) => identity)).toEqual([e.identity.id]);
    const later = missingCertificates(document, authorities, certificates, NOW + 100 * 24 * HOUR);
    expect(later.map(({ identity }) => identity)).toEqual([d.identity.id, e.identity.id]);
  });
});
