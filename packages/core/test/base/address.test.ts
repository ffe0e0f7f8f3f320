import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatIp,
  formatSocketAddress,
  isInternalIp,
  parseIp,
  parseIpv4,
  parseIpv6,
  parseSocketAddress,
} from "../../src/base/address.ts";
import { toHex } from "../../src/base/encoding.ts";

describe("an IPv4 literal", () => {
  it("is four decimal numbers", () => {
    expect(parseIpv4("127.0.0.1")).toEqual(Uint8Array.of(127, 0, 0, 1));
    expect(parseIpv4("255.255.255.255")).toEqual(Uint8Array.of(255, 255, 255, 255));
  });

  it.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.04",
    "0x7f.0.0.1",
    "1.2.3.4 ",
    "1..3.4",
    "-1.2.3.4",
    "1e1.2.3.4",
    "2130706433",
    "１.2.3.4",
  ])("is not %j", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

describe("an IPv6 literal", () => {
  it.each([
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["1::", "00010000000000000000000000000000"],
    ["2001:db8::ff00:42:8329", "20010db8000000000000ff0000428329"],
    ["2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["::ffff:192.0.2.128", "00000000000000000000ffffc0000280"],
    ["64:ff9b::1.2.3.4", "0064ff9b000000000000000001020304"],
    ["1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"],
  ])("%s is read", (text, hex) => {
    expect(toHex(parseIpv6(text) as Uint8Array)).toBe(hex);
  });

  it.each([
    "",
    ":",
    ":::",
    "1",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "::1.2.3",
    "::01.2.3.4",
    "fe80::1%eth0",
    "[::1]",
    " ::1",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
  ])("is not %j", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  it.each([
    ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ])("%s is written as RFC 5952 wants", (text, canonical) => {
    expect(formatIp(parseIpv6(text) as Uint8Array)).toBe(canonical);
  });

  it("goes there and back", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 }), (groups) => {
        const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
        expect(parseIpv6(formatIp(bytes))).toEqual(bytes);
      }),
      { seed: 1 },
    );
  });
});

describe("a socket address", () => {
  it("is read and written, canonically", () => {
    expect(parseSocketAddress("127.0.0.1:5001")).toEqual({
      family: 4,
      address: Uint8Array.of(127, 0, 0, 1),
      port: 5001,
    });
    expect(formatSocketAddress(parseSocketAddress("[2001:DB8:0::1]:443"))).toBe("[2001:db8::1]:443");
    expect(formatSocketAddress(parseSocketAddress("1.2.3.4:65535"))).toBe("1.2.3.4:65535");
  });

  it.each([
    "1.2.3.4",
    "1.2.3.4:",
    "1.2.3.4:0",
    "1.2.3.4:65536",
    "1.2.3.4:080",
    "1.2.3.4:-1",
    "::1:443",
    "[::1]",
    "[1.2.3.4]:80",
    "example.com:80",
    "[::1]:443 ",
    "",
  ])("is not %j", (text) => {
    expect(() => parseSocketAddress(text)).toThrow(expect.objectContaining({ code: "ALLIUM_E_BAD_ADDRESS" }));
  });
});

describe("an internal address", () => {
  it.each([
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
  ])("is %s", (text) => {
    expect(isInternalIp(parseIp(text) as Uint8Array)).toBe(true);
  });

  it.each([
    "1.0.0.0",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700::1111",
    "2a00:1450::1",
  ])("is not %s", (text) => {
    expect(isInternalIp(parseIp(text) as Uint8Array)).toBe(false);
  });
});
