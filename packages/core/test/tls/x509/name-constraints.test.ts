// What a CA may vouch for (RFC 5280 4.2.1.10), by the table and in whole paths.

import { describe, expect, it } from "vitest";
import { parseIp } from "../../../src/base/address.ts";
import { concat } from "../../../src/base/bytes.ts";
import { utf8 } from "../../../src/base/encoding.ts";
import { DerReader } from "../../../src/crypto/der.ts";
import { allowsNames, readNameConstraints } from "../../../src/tls/x509/name-constraints.ts";
import { der, nameOf, oid, SEQUENCE, SET } from "../make-certificate.ts";
import { ca, constraints, dns, HOST, ip, nameConstraints, names, server, verify } from "./issue.ts";

const bytesOf = (address: string) => [...(parseIp(address) as Uint8Array)];
const range = (address: string, mask: string) => ip(...bytesOf(address), ...bytesOf(mask));
const address = (text: string) => ip(...bytesOf(text));
const directory = (...parts: readonly Uint8Array[]) => der(0xa4, der(SEQUENCE, ...parts));
const part = (id: string, text: string) => der(SET, der(SEQUENCE, oid(id), der(0x13, utf8(text))));
const [country, org, unit] = [part("2.5.4.6", "DE"), part("2.5.4.10", "Org"), part("2.5.4.11", "Unit")];
const mail = der(0x81, utf8("a@example.com"));
const uri = der(0x86, utf8("https://example.com/"));

type Lists = Parameters<typeof constraints>[0];

function allows(lists: Lists, ...list: readonly Uint8Array[]): boolean {
  const read = readNameConstraints(new DerReader(constraints(lists)));
  return allowsNames(
    read,
    list.map((name) => {
      const { tag, contents } = new DerReader(name).read();
      return { tag, contents };
    }),
  );
}

describe("permitted names", () => {
  it.each<[string, Lists, Uint8Array, boolean]>([
    ["the name", { permitted: [dns("example.com")] }, dns("example.com"), true],
    ["a name below", { permitted: [dns("example.com")] }, dns("a.b.example.com"), true],
    ["another case", { permitted: [dns("EXAMPLE.com")] }, dns("a.Example.COM"), true],
    ["one of two", { permitted: [dns("example.org"), dns("example.com")] }, dns("example.com"), true],
    ["every name", { permitted: [dns("")] }, dns("example.com"), true],
    ["another kind", { permitted: [dns("example.com")] }, address("192.0.2.1"), true],
    ["a wildcard below", { permitted: [dns("example.com")] }, dns("*.example.com"), true],
    ["a name that ends alike", { permitted: [dns("example.com")] }, dns("notexample.com"), false],
    ["a name above", { permitted: [dns("a.example.com")] }, dns("example.com"), false],
    ["a wildcard above", { permitted: [dns("a.example.com")] }, dns("*.example.com"), false],
    ["no host name", { permitted: [dns("example.com")] }, dns("a b.example.com"), false],
    ["a trailing dot", { permitted: [dns("example.com")] }, dns("example.com."), false],
    ["an address", { permitted: [range("192.0.2.0", "255.255.255.0")] }, address("192.0.2.77"), true],
    ["an address outside", { permitted: [range("192.0.2.0", "255.255.255.0")] }, address("192.0.3.1"), false],
    ["an IPv6 address", { permitted: [range("2001:db8::", "ffff:ffff::")] }, address("2001:db8::1"), true],
    ["one outside", { permitted: [range("2001:db8::", "ffff:ffff::")] }, address("2001:db9::1"), false],
    ["the other family", { permitted: [range("192.0.2.0", "255.255.255.0")] }, address("::1"), false],
    ["a broken address", { permitted: [range("0.0.0.0", "0.0.0.0")] }, ip(1, 2, 3), false],
    ["a directory name below", { permitted: [directory(country, org)] }, directory(country, org, unit), true],
    ["another order", { permitted: [directory(country, org)] }, directory(org, country), false],
    ["a directory name above", { permitted: [directory(country, org)] }, directory(country), false],
    ["a mail address", { permitted: [mail] }, mail, false],
    ["a URI", { permitted: [uri] }, uri, false],
  ])("%s", (_name, lists, name, expected) => {
    expect(allows(lists, name)).toBe(expected);
  });
});

describe("excluded names", () => {
  it.each<[string, Lists, Uint8Array, boolean]>([
    ["another name", { excluded: [dns("example.com")] }, dns("example.org"), true],
    ["a name that ends alike", { excluded: [dns("example.com")] }, dns("notexample.com"), true],
    ["a name above", { excluded: [dns("a.example.com")] }, dns("example.com"), true],
    ["the name", { excluded: [dns("example.com")] }, dns("example.com"), false],
    ["a name below", { excluded: [dns("example.com")] }, dns("a.b.EXAMPLE.com"), false],
    ["a wildcard that stands for it", { excluded: [dns("a.example.com")] }, dns("*.example.com"), false],
    ["a wildcard elsewhere", { excluded: [dns("a.example.com")] }, dns("*.example.org"), true],
    ["every name", { excluded: [dns("")] }, dns("example.com"), false],
    ["no host name", { excluded: [dns("example.com")] }, dns("a b.example.org"), false],
    ["a trailing dot", { excluded: [dns("example.com")] }, dns("example.com."), false],
    ["another kind", { excluded: [dns("")] }, address("192.0.2.1"), true],
    ["an address", { excluded: [range("192.0.2.0", "255.255.255.0")] }, address("192.0.2.7"), false],
    ["another address", { excluded: [range("192.0.2.0", "255.255.255.0")] }, address("192.0.3.7"), true],
    ["the other family", { excluded: [range("0.0.0.0", "0.0.0.0")] }, address("::1"), true],
    ["a broken address", { excluded: [range("192.0.2.0", "255.255.255.0")] }, ip(1, 2, 3, 4, 5), false],
    [
      "permitted as well",
      { permitted: [dns("com")], excluded: [dns("example.com")] },
      dns("a.example.com"),
      false,
    ],
    ["permitted beside", { permitted: [dns("com")], excluded: [dns("example.com")] }, dns("other.com"), true],
    ["a directory name, whatever it is", { excluded: [directory(country)] }, directory(org), false],
    ["a mail address, whatever it is", { excluded: [mail] }, der(0x81, utf8("b@example.org")), false],
  ])("%s", (_name, lists, name, expected) => {
    expect(allows(lists, name)).toBe(expected);
  });

  it("count for each of several names", () => {
    expect(allows({ permitted: [dns("com")] }, dns("a.com"), dns("b.com"))).toBe(true);
    expect(allows({ permitted: [dns("com")] }, dns("a.com"), dns("b.org"))).toBe(false);
    expect(allows({ excluded: [dns("org")] }, dns("a.com"), dns("b.org"))).toBe(false);
    expect(allows({ excluded: [dns("org")] })).toBe(true);
  });
});

describe("malformed constraints", () => {
  const subtree = (...fields: readonly Uint8Array[]) => der(SEQUENCE, der(0xa0, der(SEQUENCE, ...fields)));
  it.each<[string, Uint8Array]>([
    ["none", der(SEQUENCE)],
    ["an empty list", der(SEQUENCE, der(0xa0))],
    ["an unknown list", der(SEQUENCE, der(0xa2, der(SEQUENCE, dns("a"))))],
    [
      "two lists in the wrong order",
      der(SEQUENCE, der(0xa1, der(SEQUENCE, dns("a"))), der(0xa0, der(SEQUENCE, dns("a")))),
    ],
    ["a minimum", subtree(dns("a"), der(0x80, Uint8Array.of(1)))],
    ["a maximum", subtree(dns("a"), der(0x81, Uint8Array.of(1)))],
    ["a leading dot", subtree(dns(".example.com"))],
    ["a trailing dot", subtree(dns("example.com."))],
    ["a wildcard", subtree(dns("*.example.com"))],
    ["an address without mask", subtree(address("192.0.2.1"))],
    ["a mask with holes", subtree(range("192.0.2.1", "255.0.255.0"))],
    ["an address of five bytes", subtree(ip(1, 2, 3, 4, 5, 255, 255, 255, 255, 255))],
    ["an unknown kind of name", subtree(der(0x89, utf8("a")))],
    ["no name", subtree()],
    ["more after them", concat(subtree(dns("a")), der(0x05))],
  ])("%s", async (_name, value) => {
    const read = () => {
      const reader = new DerReader(value);
      readNameConstraints(reader);
      reader.end();
    };
    expect(read).toThrow(expect.objectContaining({ code: "ALLIUM_E_DER" }));
  });
});

describe("in a path", () => {
  const root = ca({ name: "root" });
  const strict = (lists: Lists, by = root) => ca({ name: "strict", by, more: [nameConstraints(lists)] });

  it("bind the server's names, each of them", async () => {
    const com = strict({ permitted: [dns("example.com")] });
    expect(await verify([server(com), com], [root])).toBe("fine");
    const two = server(com, { extensions: [names(dns(HOST), dns("www.example.org"))] });
    expect(await verify([two, com], [root])).toBe("CONSTRAINT");
    const not = strict({ excluded: [dns("example.com")] });
    expect(await verify([server(not), not], [root])).toBe("CONSTRAINT");
  });

  it("bind CAs below, and servers below those", async () => {
    const org = strict({ permitted: [dns("example.org")] });
    const below = ca({ name: "below", by: org });
    expect(await verify([server(below), below, org], [root])).toBe("CONSTRAINT");
    const subject = strict({ permitted: [directory(...[nameOf("below")].map((n) => n.subarray(2)))] });
    const child = ca({ name: "below", by: subject });
    const other = ca({ name: "other", by: subject });
    expect(await verify([server(child, { name: "below" }), child, subject], [root])).toBe("fine");
    expect(await verify([server(other, { name: "below" }), other, subject], [root])).toBe("CONSTRAINT");
    const renewed = ca({ name: subject.name, by: subject });
    expect(await verify([server(renewed, { name: "below" }), renewed, subject], [root])).toBe("fine");
  });

  it("bind what a root vouches for", async () => {
    const bound = ca({ name: "bound", more: [nameConstraints({ permitted: [dns("example.org")] })] });
    expect(await verify([server(bound)], [bound])).toBe("CONSTRAINT");
    const fits = ca({ name: "bound", more: [nameConstraints({ permitted: [dns("example.com")] })] });
    expect(await verify([server(fits)], [fits])).toBe("fine");
  });

  it("bind mail addresses of subjects", async () => {
    const name = der(
      SEQUENCE,
      der(SET, der(SEQUENCE, oid("1.2.840.113549.1.9.1"), der(0x16, utf8("a@b.example")))),
    );
    const noMail = strict({ excluded: [mail] });
    expect(await verify([server(noMail, { name }), noMail], [root])).toBe("CONSTRAINT");
    expect(await verify([server(noMail), noMail], [root])).toBe("fine");
  });
});
