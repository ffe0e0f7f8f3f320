import { describe, expect, it } from "vitest";
import { exitTarget } from "../../src/client/destination.ts";

describe("a destination", () => {
  it.each<[string, 4 | 6]>([
    ["example.com", 4],
    ["example.com.", 4],
    ["xn--bcher-kva.example", 4],
    ["1.1.1.1", 4],
    ["2606:4700::1111", 6],
    ["0x.example", 4],
    ["127.0.0.1.example", 4],
  ])("%s needs an exit over IPv%i", (hostname, family) => {
    expect(exitTarget(hostname, 443, false)).toEqual({ port: 443, family });
  });

  it.each([
    ...["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1"],
    ...["::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"],
    ...["localhost", "localhost.", "printer.localhost", "a.b.localhost."],
  ])("%s is internal and refused", (hostname) => {
    expect(() => exitTarget(hostname, 80, false)).toThrow(
      expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_INTERNAL_ADDRESS" }),
    );
  });

  it.each([
    "127.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "1.1.1.1.",
    "example.1",
    "foo.0x1f",
    "256.1.1.1",
    "localhost..",
    "127.1..",
    `${"a".repeat(56)}.onion..`,
    ".example",
    "a..b",
  ])("%s is no name, or an address in disguise, and refused", (hostname) => {
    expect(() => exitTarget(hostname, 80, false)).toThrow(
      expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_HOSTNAME" }),
    );
  });

  it("may be internal on a private network", () => {
    expect(exitTarget("127.0.0.1", 8080, true)).toEqual({ port: 8080, family: 4 });
    expect(exitTarget("::1", 8080, true)).toEqual({ port: 8080, family: 6 });
    expect(exitTarget("localhost", 8080, true)).toEqual({ port: 8080, family: 4 });
  });

  it.each(["onion", `${"a".repeat(56)}.onion`, `www.${"a".repeat(56)}.onion.`])(
    "%s is never sent to an exit",
    (hostname) => {
      for (const allowPrivate of [false, true]) {
        expect(() => exitTarget(hostname, 80, allowPrivate)).toThrow(
          expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_ONION_UNSUPPORTED" }),
        );
      }
    },
  );
});
