import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromUtf8, toBase64Unpadded, utf8 } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { parseConsensus } from "../../src/directory/documents/consensus.ts";
import {
  eachMicrodescriptor,
  MicrodescriptorPool,
  microdescriptorDigest,
  parseMicrodescriptor,
  splitMicrodescriptors,
} from "../../src/directory/documents/microdescriptor.ts";
import { parsePortPolicy } from "../../src/directory/documents/port-policy.ts";
import { parseProtocols } from "../../src/directory/documents/protocols.ts";
import { testRelay } from "./builder.ts";
import { vector } from "./vectors.ts";

const refused = expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_BAD_DOCUMENT" });
const good = testRelay(
  1,
  0,
  "family $AA bob\nfamily-ids ed25519:x ed25519:y\np accept 80,443\np6 reject 25\nx-new 1\n",
).microdescriptor;

describe("a microdescriptor (dir-spec 3.3)", () => {
  it("of a real network is found under its digest", async () => {
    const parts = [...splitMicrodescriptors(vector("microdescs"))];
    expect(parts.length).toBe(4);
    const listed = new Set(
      (await parseConsensus(vector("mdconsensus2"))).routers.map((router) => router.microdescriptor),
    );
    expect(parts.filter((part) => listed.has(microdescriptorDigest(part))).length).toBeGreaterThan(0);
    const parsed = parseMicrodescriptor(parts[0] as Uint8Array);
    expect(toBase64Unpadded(parsed.ntorOnionKey)).toBe("UTHMgMUssIcB0r5wY9b+3sfmFW9ii/Kktx/nMrZnaz8");
    expect(toBase64Unpadded(parsed.ed25519Id as Uint8Array)).toBe(
      "G9p5nGpznNYTboOmx+6xxxKjSGoq2FYUU3MCIxHF/8k",
    );
    expect(parsed.exitPolicy.rejectsAll).toBe(true);
    expect(parseMicrodescriptor(parts[3] as Uint8Array).exitPolicy.allows(25)).toBe(true);
  });

  it("may lack the onion key's object, and carries families and policies", () => {
    const parsed = parseMicrodescriptor(utf8(good));
    expect([...parsed.family.names]).toEqual(["$AA", "bob"]);
    expect([...parsed.familyIds.names]).toEqual(["ed25519:x", "ed25519:y"]);
    expect([80, 81, 443].map((port) => parsed.exitPolicy.allows(port))).toEqual([true, false, true]);
    expect([24, 25, 26].map((port) => parsed.exitPolicyIpv6.allows(port))).toEqual([true, false, true]);
  });

  it("shares what it has in common with others", () => {
    const pool = new MicrodescriptorPool();
    const [one, two] = [1, 2].map((i) =>
      parseMicrodescriptor(utf8(testRelay(i, 0, "family a b\n").microdescriptor), pool),
    );
    expect(one?.family).toBe(two?.family);
    expect(one?.exitPolicy).toBe(two?.exitPolicy);
  });

  it("may lack an Ed25519 identity, and identities of other types are ignored", () => {
    expect(
      parseMicrodescriptor(utf8(good.replace(/id ed25519 .*/, "id rsa1024 AAAA"))).ed25519Id,
    ).toBeUndefined();
  });

  const swap = (from: string | RegExp, to: string) => good.replace(from, to);
  it.each([
    ["another start", swap("onion-key\n", "")],
    ["an argument of onion-key", swap("onion-key\n", "onion-key x\n")],
    [
      "an onion key of another type",
      swap("onion-key\n", "onion-key\n-----BEGIN X-----\nAAAA\n-----END X-----\n"),
    ],
    ["no ntor key", swap(/ntor-onion-key.*\n/, "")],
    ["two ntor keys", swap(/(ntor-onion-key.*\n)/, "$1$1")],
    ["a short ntor key", swap(/ntor-onion-key .*/, "ntor-onion-key AAAA")],
    ["stray bits in its ntor key", swap(/(ntor-onion-key \S*)\S/, "$1B")],
    ["too much padding", swap(/(ntor-onion-key \S*)/, "$1==")],
    ["another character in its ntor key", swap(/ntor-onion-key ../, "ntor-onion-key -_")],
    ["a long identity", swap("id ed25519 ", "id ed25519 AAAA")],
    ["two Ed25519 identities", swap(/(id ed25519.*\n)/, "$1$1")],
    ["an id without a value", swap(/id ed25519.*/, "id ed25519")],
    ["a policy of another word", swap("p accept", "p allow")],
    ["a policy that is not ASCII", swap("p accept 80", "p accept ８0")],
    ["two policies", swap(/(p accept.*\n)/, "$1$1")],
    ["two families", swap(/(family .*\n)/, "$1$1")],
    ["a second onion-key", `${good}onion-key\n`],
  ])("with %s is refused", (_, text) => {
    expect(() => parseMicrodescriptor(utf8(text))).toThrow(refused);
  });

  it("with anything before the first is refused", () => {
    expect(() => [...splitMicrodescriptors(utf8(`x-new\n${good}`))]).toThrow(refused);
    expect([...splitMicrodescriptors(new Uint8Array(0))]).toEqual([]);
    expect([...splitMicrodescriptors(utf8(good + good))].map(fromUtf8)).toEqual([good, good]);
  });

  it("are cut apart as they are taken, not all before the first: damage is met where it is", async () => {
    const many = Array.from({ length: 150 }, (_, i) => testRelay(i + 1).microdescriptor);
    const document = utf8(`${many.join("")}onion-key\n-----BEGIN X-----\n`);
    const [first] = splitMicrodescriptors(document);
    expect(fromUtf8(first as Uint8Array)).toBe(many[0]);
    const taken: string[] = [];
    await expect(eachMicrodescriptor(document, (_, bytes) => taken.push(fromUtf8(bytes)))).rejects.toEqual(
      refused,
    );
    expect(taken.length).toBeGreaterThan(100);
    expect(taken).toEqual(many.slice(0, taken.length));
  });

  it("that was damaged gives a TorError or a document", () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(20), fc.uint8Array({ maxLength: 4 }), (at, cut, insert) => {
        const bytes = utf8(good);
        try {
          parseMicrodescriptor(
            Uint8Array.from([...bytes.subarray(0, at), ...insert, ...bytes.subarray(at + cut)]),
          );
        } catch (error) {
          expect(isTorError(error)).toBe(true);
        }
      }),
      { seed: 3, numRuns: 1000 },
    );
  });
});

describe("an exit policy summary (dir-spec 3.8.2)", () => {
  it.each([
    ["accept 80,443,1000-2000", [80, 443, 1000, 1500, 2000], [1, 79, 81, 999, 2001, 65535]],
    ["reject 25,119,135-139", [1, 24, 26, 134, 140, 65535], [25, 119, 135, 137, 139]],
    ["accept 1-65535", [1, 65535], []],
    ["reject 1-65535", [], [1, 80, 65535]],
  ])("%s", (text, allowed, denied) => {
    const policy = parsePortPolicy(text);
    for (const port of allowed) expect(policy.allows(port)).toBe(true);
    for (const port of [...denied, 0, -1, 65536, 80.5]) expect(policy.allows(port)).toBe(false);
    expect(policy.rejectsAll).toBe(allowed.length === 0);
  });

  it.each([
    "accept",
    "accept ",
    "accept 0",
    "accept 65536",
    "accept 80,80",
    "accept 443,80",
    "accept 80-443,100",
    "accept 443-80",
    "accept 80,",
    "accept 080",
    "accept *",
    "accept80",
    `accept ${Array.from({ length: 600 }, (_, i) => i + 1000).join(",")}`,
  ])("refuses %s", (text) => {
    expect(() => parsePortPolicy(text)).toThrow(refused);
  });
});

describe("a list of subprotocols", () => {
  it("says which versions are there", () => {
    const protocols = parseProtocols("Link=1-3,5 Empty= Relay=0,63");
    expect([0, 1, 3, 4, 5, 6].map((version) => protocols.supports("Link", version))).toEqual([
      false,
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(protocols.supports("Relay", 63)).toBe(true);
    expect(protocols.supports("Empty", 1)).toBe(false);
    expect(protocols.supports("constructor", 1)).toBe(false);
    expect(parseProtocols("Link=4-6 Other=1").missingFrom(protocols)).toEqual([
      "Link=4",
      "Link=6",
      "Other=1",
    ]);
  });

  it.each([
    "Link",
    "Link=a",
    "Link=1-",
    "Link=2-1",
    "Link=64",
    "Link=01",
    "=1",
    "Link=1 Link=2",
    `Link=${"1,".repeat(99)}1`,
    "A=1-4294967295",
  ])("refuses %s", (text) => {
    expect(() => parseProtocols(text)).toThrow(refused);
  });
});

it("tells family lists apart that differ in their middles alone, and shares those that are the same", () => {
  const pool = new MicrodescriptorPool();
  const base = testRelay(1).microdescriptor;
  const list = (middle: string) =>
    Array.from({ length: 9 }, (_, i) => `$${(i === 4 ? middle : String(i)).repeat(40)}`);
  const familyOf = (middle: string) =>
    parseMicrodescriptor(utf8(`${base}family ${list(middle).join(" ")}\n`), pool).family;
  const [one, other, again] = [familyOf("A"), familyOf("B"), familyOf("A")];
  expect([...one.names]).toEqual(list("A"));
  expect([...other.names]).toEqual(list("B"));
  expect(again).toBe(one);
});
