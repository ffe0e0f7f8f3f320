import { describe, expect, it } from "vitest";
import { fromUtf8, toHex, utf8 } from "../../src/base/encoding.ts";
import { parseConsensus } from "../../src/directory/documents/consensus.ts";
import { signedConsensus, TestAuthority, testRelay } from "./builder.ts";
import { vector } from "./vectors.ts";

const authority = new TestAuthority("one");
const good = fromUtf8(signedConsensus([authority], { relays: [testRelay(1), testRelay(2)] }));
const vector1 = fromUtf8(vector("mdconsensus1"));

function parse(text: string) {
  return parseConsensus(utf8(text));
}

const weights = (count: number) => Array.from({ length: count }, (_, i) => `w${i}=1`).join(" ");

const refused = expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_BAD_DOCUMENT" });

describe("a microdescriptor consensus", () => {
  it("of a real network is read whole", async () => {
    const consensus = await parseConsensus(vector("mdconsensus1"));
    expect(consensus.validAfter).toBe(Date.UTC(2020, 7, 7, 12, 42, 40));
    expect(consensus.freshUntil - consensus.validAfter).toBe(20_000);
    expect(consensus.validUntil - consensus.validAfter).toBe(40_000);
    expect(consensus.routers.length).toBe(6);
    expect(consensus.signatures.map(({ identity }) => identity.slice(0, 4))).toEqual([
      "5696",
      "5A23",
      "7C47",
    ]);
    expect(consensus.bandwidthWeights.get("Wbd")).toBe(3333);
    expect(consensus.bandwidthWeights.size).toBe(19);
    expect(consensus.requiredClientProtocols.supports("HSIntro", 3)).toBe(true);
    expect(consensus.recommendedClientProtocols.supports("Cons", 2)).toBe(true);
    expect(consensus.recommendedClientProtocols.supports("Cons", 3)).toBe(false);
    const [router] = consensus.routers;
    expect(router?.nickname).toBe("test002a");
    expect(toHex(router?.rsaId ?? new Uint8Array(0))).toBe("0a3057af2910415794d8ea430309d9ac5f5d524b");
    expect(router?.microdescriptor).toBe("c9q+CgRo9PemeBChjRHjZzG7HS7DY020WRAGCfOz9TU");
    expect(router?.addresses).toEqual([
      { family: 4, address: Uint8Array.of(127, 0, 0, 1), port: 5002 },
      { family: 6, address: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), port: 5002 },
    ]);
    expect(router?.flags.has("HSDir")).toBe(true);
    expect(router?.flags.has("BadExit")).toBe(false);
    expect(router?.unmeasured).toBe(true);
    expect(router?.protocols.supports("LinkAuth", 2)).toBe(false);
    expect(router?.protocols.supports("LinkAuth", 3)).toBe(true);
  });

  it("of the same network a year later is read too", async () => {
    expect((await parseConsensus(vector("mdconsensus2"))).signatures.length).toBe(3);
  });

  it("may hold lines and arguments that nobody knows yet", async () => {
    const text = good
      .replace("vote-status consensus\n", "vote-status consensus and more\nx-new thing\n")
      .replace("directory-footer\n", "directory-footer\nx-new thing\n")
      .replace(/^m (.*)$/m, "m $1 more\nx-new thing")
      .replace(/^w .*$/m, "w Bandwidth=7 New=3");
    const consensus = await parse(text);
    expect(consensus.routers[0]?.bandwidth).toBe(7);
    expect(consensus.routers.length).toBe(2);
  });

  it("may have as many lines, addresses and arguments as the limits below allow", async () => {
    const text = good
      .replace("params", `${"x-new\n".repeat(900)}params`)
      .replace("bandwidth-w", `${"x-new\n".repeat(900)}bandwidth-w`)
      .replace(/^m /m, `${"a [::1]:1\n".repeat(8)}m `)
      .replace(/^w /m, `${"x-new\n".repeat(80)}w `)
      .replace(/Wbd.*/, weights(512));
    const consensus = await parse(text);
    expect(consensus.bandwidthWeights.size).toBe(512);
    expect(consensus.routers[0]?.addresses.length).toBe(9);
  });

  it("may name an authority's old key, which has no contact and no vote", async () => {
    const old = `dir-source test001a-legacy ${"0".repeat(40)} 127.0.0.1 127.0.0.1 7001 5001\n`;
    await parse(vector1.replace("dir-source", `${old}dir-source`));
    await expect(
      parse(vector1.replace("dir-source", `${old.replace("-legacy", "")}dir-source`)),
    ).rejects.toThrow(refused);
  });

  it("counts only signatures over SHA-256", async () => {
    const text = good.slice(0, good.indexOf("directory-signature"));
    const sha1 = authority.sign(text, { algorithm: "sha1" });
    const other = authority.sign(text, { name: "sha3-256" });
    const consensus = await parse(text + sha1 + other + authority.sign(text));
    expect(consensus.signatures.length).toBe(1);
    expect(consensus.digest).toEqual((await parse(good)).digest);
  });

  const swap = (from: string | RegExp, to: string): [string, string] => [good, good.replace(from, to)];
  const cases: [string, [string, string]][] = [
    ["another start", swap("network-status-version 3 microdesc\n", "")],
    ["a blank line before its start", swap("network-status-version", "\nnetwork-status-version")],
    ["another version", swap("version 3", "version 4")],
    ["another flavour", swap(" microdesc", " ns")],
    ["no flavour", swap(" microdesc", "")],
    ["a vote's status", swap("vote-status consensus", "vote-status vote")],
    ["no valid-after", swap(/valid-after.*\n/, "")],
    ["no valid-until", swap(/valid-until.*\n/, "")],
    ["two fresh-until", swap(/(fresh-until.*\n)/, "$1$1")],
    ["a time that does not exist", swap(/valid-after 2026-08-01/, "valid-after 2026-06-31")],
    ["a malformed time", swap(/valid-after 2026-08-01/, "valid-after 2026-8-01")],
    ["times out of order", swap(/valid-until 2026/, "valid-until 2025")],
    ["no known-flags", swap(/known-flags.*\n/, "")],
    ["known-flags out of order", swap("BadExit Exit", "Exit BadExit")],
    ["a flag twice", swap("s Exit", "s Exit Exit")],
    ["flags out of order", swap("s Exit Fast", "s Fast Exit")],
    ["client-versions twice", swap("vote-status", "client-versions 1\nclient-versions 1\nvote-status")],
    [
      "a shared random value twice",
      swap("params", `${"shared-rand-current-value 9 AA==\n".repeat(2)}params`),
    ],
    ["malformed protocols for relays", swap("params", "required-relay-protocols Link\nparams")],
    ["malformed recommended protocols", swap("params", "recommended-client-protocols Link=64\nparams")],
    ["two lists of required protocols", swap(/(required-client.*\n)/, "$1$1")],
    ["consensus method 0", swap("method 35", "method 0")],
    ["a voting delay too few", swap("voting-delay 300 300", "voting-delay 300")],
    ["a malformed time of publication", swap("2038-01-01 00", "2038-01-32 00")],
    ["a directory port above 65535", swap("9001 0", "9001 65536")],
    ["stray bits in an identity", swap(/^(r relay1 \S*)(\S) /m, "$1B ")],
    ["stray bits in a microdescriptor digest", swap(/^(m \S*)\S$/m, "$1B")],
    ["a flag that it does not know", swap("s Exit", "s Excellent Exit")],
    ["a parameter without a value", swap("circwindow=1000", "circwindow")],
    ["a parameter that is no number", swap("circwindow=1000", "circwindow=ten")],
    ["a parameter beyond 32 bits", swap("circwindow=1000", "circwindow=2147483648")],
    ["a parameter twice", swap("circwindow=1000", "circwindow=1000 circwindow=1000")],
    ["a malformed weight", swap("Wee=10000", "Wee=1e4")],
    ["a malformed bandwidth", swap("Bandwidth=1000", "Bandwidth=-1")],
    ["a bandwidth beyond 32 bits", swap("Bandwidth=1000", "Bandwidth=4294967296")],
    ["a w line without bandwidth", swap("w Bandwidth=1000", "w Unmeasured=1")],
    ["a short microdescriptor digest", swap(/^m .*$/m, "m AAAA")],
    ["a malformed microdescriptor digest", swap(/^m (.)/m, "m *")],
    ["no microdescriptor digest", swap(/^m .*\n/m, "")],
    ["no flags", swap(/^s .*\n/m, "")],
    ["two digests", swap(/^(m .*\n)/m, "$1$1")],
    ["lines out of order", swap(/^(m .*\n)(s .*\n)/m, "$2$1")],
    ["a short identity", swap(/^r relay1 \S+/m, "r relay1 AAAA")],
    ["a malformed address", swap("10.1.0.1 9001", "10.1.0.256 9001")],
    ["port 0", swap("10.1.0.1 9001", "10.1.0.1 0")],
    ["a port above 65535", swap("10.1.0.1 9001", "10.1.0.1 65536")],
    ["a malformed a line", swap(/^m/m, "a [::1:9001\nm")],
    ["a host name in an a line", swap(/^m/m, "a example.com:9001\nm")],
    ["a malformed nickname", swap("r relay1", "r relay_1")],
    ["a nickname of 20 characters", swap("r relay1", `r ${"x".repeat(20)}`)],
    ["a malformed protocol list", swap("Link=3-5", "Link=5-3")],
    ["a protocol version above 63", swap("Link=3-5", "Link=3-64")],
    ["relays out of order", swap(/(r relay1[\s\S]*)(r relay2[\s\S]*)(directory-footer)/, "$2$1$3")],
    ["a relay twice", swap(/(r relay1[\s\S]*)(r relay2)/, "$1$1$2")],
    ["no footer", swap("directory-footer\n", "")],
    ["an argument of the footer", swap("directory-footer\n", "directory-footer 1\n")],
    ["a relay in the footer", swap(/(r relay1[\s\S]*?)(r relay2[\s\S]*?directory-footer\n)/, "$2$1")],
    ["two bandwidth-weights", swap(/(bandwidth-weights.*\n)/, "$1$1")],
    ["no signature", swap(/directory-signature[\s\S]*/, "")],
    ["a tab where the signed part ends", swap("directory-signature ", "directory-signature\t")],
    ["a signature without its object", swap(/-----BEGIN SIGNATURE[\s\S]*/, "")],
    ["a signature object of another type", swap(/SIGNATURE-----/g, "THING-----")],
    ["a malformed signing key digest", swap(/^(directory-signature sha256 \S+) ./m, "$1 x")],
    [
      "a signature of 127 bytes",
      swap(/(BEGIN SIGNATURE-----\n)[\s\S]*?(-----END)/, `$1${"A".repeat(170)}\n$2`),
    ],
    [
      "a signature of 513 bytes",
      swap(/(BEGIN SIGNATURE-----\n)[\s\S]*?(-----END)/, `$1${"AAAA".repeat(171)}\n$2`),
    ],
    ["anything unknown after the signatures", [good, `${good}x-new 1\n`]],
    ["more lines than a preamble has", swap("params", `${"x-new\n".repeat(1000)}params`)],
    ["more lines than a footer has", swap("bandwidth-w", `${"x-new\n".repeat(1000)}bandwidth-w`)],
    ["more lines than a router entry has", swap(/^w /m, `${"x-new\n".repeat(100)}w `)],
    ["more addresses than a relay has", swap(/^m /m, `${"a [::1]:1\n".repeat(9)}m `)],
    ["more arguments than an item has", swap("Wbd=3333 Wee=10000", `${weights(513)} Wee=10000`)],
    ["a relay after the signatures", [good, good + (/r relay1[\s\S]*?(?=r relay2)/.exec(good)?.[0] ?? "")]],
    ["parameters after the signatures", [good, `${good}params circwindow=1\n`]],
    ["another consensus after it", [good, good + good]],
    ["more signatures than there can be", [good, good + authority.sign("").repeat(64)]],
    [
      "unsorted authorities",
      [vector1, vector1.replace(/(dir-source.*\n.*\n.*\n)(dir-source.*\n.*\n.*\n)/, "$2$1")],
    ],
    ["an authority twice", [vector1, vector1.replace(/(dir-source.*\n.*\n.*\n)/, "$1$1")]],
    ["an authority's contact twice", [vector1, vector1.replace(/(contact .*\n)/, "$1$1")]],
    ["an authority without contact", [vector1, vector1.replace(/contact .*\n/, "")]],
    ["an authority without digest of its vote", [vector1, vector1.replace(/vote-digest .*\n/, "")]],
    ["an authority with a malformed digest", [vector1, vector1.replace(/vote-digest ../, "vote-digest ")]],
    ["an authority at a host name", [vector1, vector1.replace("127.0.0.1 7001", "localhost 7001")]],
    ["an authority at port 65536", [vector1, vector1.replace("7001 5001", "7001 65536")]],
    ["a contact before any authority", [vector1, vector1.replace("dir-source", "contact x\ndir-source")]],
    ["parameters among the authorities", [vector1, vector1.replace("contact", "params a=1\ncontact")]],
  ];

  it.each(cases)("with %s is refused", async (_, [before, after]) => {
    expect(after).not.toBe(before);
    await parse(before);
    await expect(parse(after)).rejects.toThrow(refused);
  });
});
