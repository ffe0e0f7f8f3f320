import { beforeAll, describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { parseKeyCertificates } from "../../src/directory/documents/key-certificate.ts";
import { HOUR, NOW, rsaKey, TestAuthority } from "./builder.ts";
import { vector } from "./vectors.ts";

const authority = new TestAuthority("one");
const other = new TestAuthority("two");
let good = "";
beforeAll(() => {
  good = authority.certificate();
});

describe("a key certificate (dir-spec 3.1)", () => {
  it("of a real authority holds", () => {
    const [certificate] = parseKeyCertificates(vector("cert-5696"));
    expect(certificate?.identity).toBe("5696AB38CB3852AFA476A5C07B2D4788963D5567");
    expect(certificate?.signingKeyId).toBe("F6ED4AA64D83CAEDE34E19693A7FCF331AAE8A6A");
    expect(certificate?.published).toBe(Date.UTC(2020, 7, 7, 12, 40, 25));
    expect(certificate?.expires).toBe(Date.UTC(2021, 7, 7, 12, 40, 25));
    expect(certificate?.bytes).toEqual(vector("cert-5696"));
  });

  it("may be followed by others, and keeps its own bytes only", () => {
    const both = parseKeyCertificates(
      utf8(good + other.certificate({ extra: "x-new 1\n", crossTag: "SIGNATURE" })),
    );
    expect(both.map(({ identity }) => identity)).toEqual([authority.identity.id, other.identity.id]);
    expect(fromUtf8(both[0]?.bytes ?? new Uint8Array(0))).toBe(good);
    expect(both[0]?.expires).toBe(NOW + 90 * 24 * HOUR);
    expect(parseKeyCertificates(new Uint8Array(0))).toEqual([]);
  });

  const swap = (from: string | RegExp, to: string) => () => good.replace(from, to);
  const cases: [string, () => string][] = [
    ["another start", swap("dir-key-certificate-version 3\n", "")],
    ["another version", swap("version 3", "version 4")],
    ["no end", swap(/dir-key-certification[\s\S]*/, "")],
    [
      "the next one's start in its middle",
      () => good.replace("dir-identity-key", "dir-key-certificate-version 3\ndir-identity-key"),
    ],
    ["a fingerprint of another key", () => authority.certificate({ fingerprint: other.identity.id })],
    ["a malformed fingerprint", () => authority.certificate({ fingerprint: "AB" })],
    ["a crosscert by another key", () => authority.certificate({ crossSigner: other.signing })],
    ["a signature by another key", () => authority.certificate({ signer: other.identity })],
    ["a signature by its own signing key", () => authority.certificate({ signer: authority.signing })],
    ["one byte of what is signed changed", swap(/expires 2026/, "expires 2027")],
    [
      "an expiry before its publication",
      () => authority.certificate({ published: NOW, expires: NOW - HOUR }),
    ],
    ["a host name as its address", () => authority.certificate({ extra: "dir-address localhost:80\n" })],
    ["an address of port 65536", () => authority.certificate({ extra: "dir-address 127.0.0.1:65536\n" })],
    ["more lines than there can be", () => authority.certificate({ extra: "x-new\n".repeat(100) })],
    ["an item twice", () => authority.certificate({ extra: `fingerprint ${authority.identity.id}\n` })],
    ["no crosscert", swap(/dir-key-crosscert[\s\S]*?-----END[^\n]*\n/, "")],
    ["a crosscert of another type", () => authority.certificate({ crossTag: "OTHER" })],
    ["a key of another type", swap(/RSA PUBLIC KEY/g, "PUBLIC KEY")],
    ["an argument where none may be", swap("dir-signing-key\n", "dir-signing-key now\n")],
  ];
  it.each(cases)("with %s is refused", (_, make) => {
    expect(make()).not.toBe(good);
    try {
      parseKeyCertificates(utf8(make()));
      expect.unreachable();
    } catch (error) {
      expect(isTorError(error) && error.kind).toBe("protocol-violation");
    }
  });

  it("may name an address, and lines that nobody knows yet", () => {
    const extra = `dir-address 127.0.0.1:80\n${"x-new 1\n".repeat(90)}`;
    expect(parseKeyCertificates(utf8(authority.certificate({ extra }))).length).toBe(1);
  });

  it("is not one of hundreds, each of which costs two RSA operations", () => {
    expect(parseKeyCertificates(utf8(good.repeat(64))).length).toBe(64);
    expect(() => parseKeyCertificates(utf8(good.repeat(65)))).toThrow(/too many/);
  });

  it("with a key shorter than 1024 bits is refused", () => {
    const short = new TestAuthority("short", rsaKey(1024), rsaKey(768));
    expect(() => parseKeyCertificates(utf8(short.certificate()))).toThrow();
  });
});
