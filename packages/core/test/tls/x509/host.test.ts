// Which names cover which hosts (RFC 9525 6, RFC 6125 7.2).

import { describe, expect, it } from "vitest";
import { parseIp } from "../../../src/base/address.ts";
import { utf8 } from "../../../src/base/encoding.ts";
import { NAME } from "../../../src/tls/x509/general-name.ts";
import { coversHost, readHostName } from "../../../src/tls/x509/host.ts";

const covers = (name: string, host: string) => coversHost([{ tag: NAME.dns, contents: utf8(name) }], host);
const coversIp = (address: string, host: string) =>
  coversHost([{ tag: NAME.ip, contents: parseIp(address) as Uint8Array }], host);

describe("a host name", () => {
  it.each([
    ["www.example.com", "www.example.com"],
    ["WWW.Example.COM", "www.example.com"],
    ["www.example.com", "www.example.com."],
    ["localhost", "localhost"],
    ["a_b.example.com", "a_b.example.com"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["*.example.com", "www.example.com"],
    ["*.example.com", "WWW.example.com".toLowerCase()],
    ["*.EXAMPLE.com", "xn--bcher-kva.example.com"],
    ["*.a.b.example.com", "c.a.b.example.com"],
    ["*.co.uk", "example.co.uk"],
  ])("%s covers %s", (name, host) => {
    expect(covers(name, host)).toBe(true);
  });

  it.each([
    ["www.example.com", "example.com"],
    ["example.com", "www.example.com"],
    ["www.example.com.", "www.example.com"],
    ["www.example.com", "www.example.com.."],
    ["www.example.com", "www.example.comm"],
    ["*.example.com", "example.com"],
    ["*.example.com", ".example.com"],
    ["*.example.com", "a.b.example.com"],
    ["*.example.com.", "www.example.com"],
    ["*", "localhost"],
    ["*.", "localhost"],
    ["*.com", "example.com"],
    ["*.localhost", "a.localhost"],
    ["w*.example.com", "www.example.com"],
    ["*w.example.com", "www.example.com"],
    ["xn--*.example.com", "xn--bcher-kva.example.com"],
    ["www.*.com", "www.example.com"],
    ["*.*.com", "www.example.com"],
    ["**.example.com", "www.example.com"],
    ["", "example.com"],
    ["", ""],
    [".example.com", "www.example.com"],
    ["-a.example.com", "-a.example.com"],
    ["a-.example.com", "a-.example.com"],
    ["www.example.com\0.evil.example", "www.example.com"],
    ["www.example.com ", "www.example.com"],
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "[::1]"],
    [`${"a".repeat(64)}.example.com`, `${"a".repeat(64)}.example.com`],
  ])("%j does not cover %j", (name, host) => {
    expect(covers(name, host)).toBe(false);
  });

  it("is at most 253 characters long", () => {
    const long = "a".repeat(50);
    const name = Array.from({ length: 4 }, () => long).join(".");
    expect(readHostName(utf8(`${"b".repeat(49)}.${name}`))).toHaveLength(253);
    expect(readHostName(utf8(`${"b".repeat(50)}.${name}`))).toBeUndefined();
    expect(readHostName(utf8(`${"b".repeat(50)}.${name}.example`))).toBeUndefined();
  });
});

describe("an address", () => {
  it("is covered by the same address as an address only", () => {
    expect(coversIp("192.0.2.1", "192.0.2.1")).toBe(true);
    expect(coversIp("2001:db8::1", "2001:db8::1")).toBe(true);
    expect(coversIp("2001:db8::1", "[2001:db8:0::1]")).toBe(true);
    expect(coversIp("192.0.2.1", "192.0.2.2")).toBe(false);
    expect(coversIp("2001:db8::1", "[2001:db8::2]")).toBe(false);
    expect(coversIp("::ffff:192.0.2.1", "192.0.2.1")).toBe(false);
    expect(coversIp("192.0.2.1", "192.0.2.1.")).toBe(false);
  });

  it("of a wrong length covers nothing, nor does a name of another kind", () => {
    expect(coversHost([{ tag: NAME.ip, contents: Uint8Array.of(192, 0, 2) }], "192.0.2.1")).toBe(false);
    expect(coversHost([{ tag: NAME.mail, contents: utf8("www.example.com") }], "www.example.com")).toBe(
      false,
    );
    expect(coversHost([{ tag: NAME.ip, contents: utf8("a.bc") }], "a.bc")).toBe(false);
    expect(coversHost([], "www.example.com")).toBe(false);
  });
});
