// Documents with the defects of arti's test data (tor-netdoc/testdata/bad-*) and of C tor's tests (test_microdesc.c,
// test_dir.c), and documents with defects of chance: each gives a value or a TorError.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { parseConsensus } from "../../src/directory/documents/consensus.ts";
import { parseKeyCertificates } from "../../src/directory/documents/key-certificate.ts";
import {
  parseMicrodescriptor,
  splitMicrodescriptors,
} from "../../src/directory/documents/microdescriptor.ts";
import { pemObject, TestAuthority, testRelay } from "./builder.ts";
import { vector } from "./vectors.ts";

const authority = new TestAuthority("one");
const certificate = authority.certificate();
const consensus = fromUtf8(vector("mdconsensus1"));
const microdescriptor = testRelay(1, 0, "family $AA bob\np accept 80\np6 accept 443\n").microdescriptor;

const refusedFor = (reason: RegExp) =>
  expect.objectContaining({
    kind: "protocol-violation",
    code: "ALLIUM_E_BAD_DOCUMENT",
    message: expect.stringMatching(reason),
  });

describe("arti's bad consensuses", () => {
  const swap = (from: string | RegExp, to: string) => consensus.replace(from, to);
  it.each([
    ["bad-flags", swap("Exit Fast", "Exit Muffins Fast"), /out of order/],
    ["bad-md-digest", swap(/^m (.{16}).*/m, "m $1"), /microdescriptor digest/],
    ["bad-params", swap("\ndir-source", "\nparams FoobarNotAParameter\ndir-source"), /without a value/],
    ["bad-weight", swap("Wgm=10000", "Wgm=Hello"), /integer/],
    ["bad-weights", swap("w Bandwidth=0", "w Bandwidth=Fred"), /integer/],
    [
      "wrong-order",
      swap(/(r test001a[\s\S]*?)(r test003r[\s\S]*?)(?=r test004r)/, "$2$1"),
      /relays .* not in order/,
    ],
    ["wrong-start", swap(/(.*\n)(.*\n)/, "$2$1"), /begin with its version/],
    ["wrong-version", swap("version 3", "version 10"), /version 3/],
  ])("%s", async (_, text, reason) => {
    expect(text).not.toBe(consensus);
    await expect(parseConsensus(utf8(text))).rejects.toThrow(refusedFor(reason));
  });
});

describe("arti's bad microdescriptors", () => {
  const swap = (from: string | RegExp, to: string) => microdescriptor.replace(from, to);
  it.each([
    ["bogus-policy", swap("p6 accept 443", "p6 accept whatever"), /policy summary/],
    ["non-ascii-policy", swap("p6 accept 443", "p6 acce ¬"), /policy summary/],
    ["wrong-start", `family $AA\n${microdescriptor}`, /begin with onion-key/],
  ])("%s", (_, text, reason) => {
    expect(text).not.toBe(microdescriptor);
    expect(() => parseMicrodescriptor(utf8(text))).toThrow(refusedFor(reason));
  });

  it("wrong-id: one without an Ed25519 identity, which leads nowhere", () => {
    const text = swap("id ed25519", "id explodo");
    expect(parseMicrodescriptor(utf8(text)).ed25519Id).toBeUndefined();
    expect(parseMicrodescriptor(utf8(microdescriptor)).ed25519Id?.length).toBe(32);
  });
});

describe("C tor's microdescriptors", () => {
  const swap = (from: string | RegExp, to: string) => microdescriptor.replace(from, to);
  const key = pemObject("RSA PUBLIC KEY", authority.identity.der);
  it.each([
    ["an onion key with another end", swap("\n", `\n${key.replace("END RSA", "END DSA")}`), /END line/],
    ["an onion key that does not end", swap("\n", `\n${key.replace(/-----END.*\n/, "")}`), /ends inside/],
    ["a short ntor key", swap(/ntor-onion-key .{3}/, "ntor-onion-key "), /base64/],
    ["an annotation that nobody knows", `@last-listed with strange aeons\n${microdescriptor}`, /keyword/],
    ["two Ed25519 identities", swap(/(id ed25519.*\n)/, "$1$1"), /two Ed25519/],
    ["an Ed25519 identity that is too long", swap(/(id ed25519.*)/, "$1ZZZZ"), /base64/],
    ["a policy that is none", swap("p accept 80", "p condone 1-10"), /policy summary/],
    ["a policy of words", swap("p accept 80", "p accept frogs-mice"), /ports|summary/],
    ["a family that is cut off", "onion-key\nfamily @", /ends inside a line/],
  ])("with %s are refused", (_, text, reason) => {
    expect(() => parseMicrodescriptor(utf8(text))).toThrow(refusedFor(reason));
  });

  it.each([
    ["an onion key", swap("\n", `\n${key}`)],
    ["a line that nobody knows", swap("ntor", "flux-capacitor 1.21 GW\nntor")],
    ["another kind of identity", `${microdescriptor}id expolding hedgehog 0+A5O9qRvRac4FT3C4L2QnFyxsc\n`],
    ["a padded ntor key", swap(/(ntor-onion-key .*)/, "$1=")],
    ["addresses", swap("ntor", "a [::1:2:3:4]:9090\na 18.0.0.1:9999\nntor")],
  ])("with %s are read", (_, text) => {
    expect(text).not.toBe(microdescriptor);
    const { exitPolicy } = parseMicrodescriptor(utf8(text));
    expect([exitPolicy.allows(80), exitPolicy.allows(81)]).toEqual([true, false]);
  });
});

describe("arti's bad certificates", () => {
  const swap = (from: string | RegExp, to: string) => certificate.replace(from, to);
  const end = /dir-key-certification[\s\S]*/.exec(certificate)?.[0] as string;
  it.each([
    ["bad-cc-tag", authority.certificate({ crossTag: "HAPPY FROGS" }), /another type/],
    ["bad-fingerprint", authority.certificate({ fingerprint: "F".repeat(40) }), /fingerprint/],
    ["bad-version", swap("version 3", "version 4"), /unknown version/],
    [
      "wrong-end",
      swap(end, "").replace("dir-signing-key", `${end}dir-signing-key`),
      /"dir-signing-key" is missing/,
    ],
    ["wrong-start", swap(/(.*\n)(.*\n)/, "$2$1"), /begin with its version/],
    ["one that is cut off", swap(/-----END SIGNATURE-----\n$/, ""), /ends inside/],
  ])("%s", (_, text, reason) => {
    expect(text).not.toBe(certificate);
    expect(() => parseKeyCertificates(utf8(text))).toThrow(refusedFor(reason));
  });
});

/** A document's lines, changed at random: removed, repeated, moved, cut, or with other words. */
function edited(document: string): fc.Arbitrary<Uint8Array> {
  const lines = document.split("\n");
  const place = fc.nat(lines.length - 1);
  const word = fc.oneof(
    fc.constantFrom(
      "",
      "-",
      "=",
      "-1",
      "9".repeat(30),
      "1-1",
      "::",
      "\t",
      "-----BEGIN A-----",
      "\r",
      "\0",
      "ÿ",
    ),
    fc.stringMatching(/^[ -~]{0,12}$/),
    fc.constantFrom(...lines),
  );
  const edit = fc.record({
    kind: fc.constantFrom("remove", "repeat", "move", "cut", "word", "line"),
    at: place,
    to: place,
    index: fc.nat(8),
    word,
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    const result = [...lines];
    for (const { kind, at, to, index, word } of edits) {
      const line = result[at] ?? "";
      if (kind === "remove") result.splice(at, 1);
      else if (kind === "repeat") result.splice(to, 0, ...new Array<string>(index + 1).fill(line));
      else if (kind === "move") result.splice(to, 0, ...result.splice(at, 1));
      else if (kind === "cut") result.splice(at, 1, line.slice(0, index));
      else if (kind === "line") result.splice(at, 0, word);
      else
        result.splice(
          at,
          1,
          line
            .split(" ")
            .with(Math.min(index, line.split(" ").length - 1), word)
            .join(" "),
        );
    }
    return utf8(result.join("\n"));
  });
}

describe("a document with defects of chance gives a whole value or a TorError", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });

  it("as a consensus", async () => {
    let read = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 9, arbitrary: edited(consensus) }, bytes), async (document) => {
        try {
          const { routers, signatures, digest } = await parseConsensus(document);
          expect([digest.length, signatures.every(({ identity }) => identity.length === 40)]).toEqual([
            32,
            true,
          ]);
          for (const { rsaId, flags } of routers)
            expect([rsaId.length, flags instanceof Set]).toEqual([20, true]);
          read++;
        } catch (error) {
          if (!isTorError(error)) throw error;
        }
      }),
      { seed: 4, numRuns: 1500 },
    );
    // Were nearly all refused at the first line, this would say nothing of the rest.
    expect(read).toBeGreaterThan(50);
  });

  it.each([
    [
      "microdescriptors",
      microdescriptor,
      (document: Uint8Array) =>
        [...splitMicrodescriptors(document)].map((one) => parseMicrodescriptor(one).ntorOnionKey.length),
    ],
    [
      "key certificates",
      certificate,
      (document: Uint8Array) => parseKeyCertificates(document).map(({ signingKey }) => signingKey.bits / 32),
    ],
  ])("as %s", (_, good, parse) => {
    let read = 0;
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: edited(good) }, bytes), (document) => {
        try {
          for (const value of parse(document)) expect(value).toBe(32);
          read++;
        } catch (error) {
          if (!isTorError(error)) throw error;
        }
      }),
      { seed: 5, numRuns: 600 },
    );
    expect(read).toBeGreaterThan(5);
  });
});
