// Work in proportion to a document's length, whatever its shape (quadratic parsing has stopped relays and clients of C tor).
// Two measures: bytes that are looked at, which are counted; and time, for what is done to strings, with much room.

import { describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { parseConsensus } from "../../src/directory/documents/consensus.ts";
import { parseKeyCertificates } from "../../src/directory/documents/key-certificate.ts";
import {
  MicrodescriptorPool,
  parseMicrodescriptor,
  splitMicrodescriptors,
} from "../../src/directory/documents/microdescriptor.ts";
import { signedConsensus, TestAuthority, testRelay } from "./builder.ts";

const authority = new TestAuthority("one");
const certificate = authority.certificate();
const relays = Array.from({ length: 2048 }, (_, i) => testRelay(i + 1));
const entries = fromUtf8(signedConsensus([authority], { relays })).match(
  /^r [\s\S]*?(?=^r |^directory-f)/gm,
) as string[];
const [head, tail] = fromUtf8(signedConsensus([authority])).split(/(?=^directory-footer)/m) as [
  string,
  string,
];
const microdescriptor = testRelay(1).microdescriptor;

/** `n` words of `Aa` and `BB`, which a weak hash cannot tell apart: all different, all of one length. */
function colliding(n: number): string[] {
  return Array.from({ length: n }, (_, i) =>
    i.toString(2).padStart(14, "0").replaceAll("0", "Aa").replaceAll("1", "BB"),
  );
}

/** A consensus of `n` relays, some lines of each changed. */
const ofRelays = (change: (entry: string, i: number) => string) => (n: number) =>
  head + entries.slice(0, n).map(change).join("") + tail;

/** Documents whose length grows with `n`, of which 2048 gives 100 kB or more. */
const consensuses: Record<string, (n: number) => string> = {
  "usual relays": ofRelays((entry) => entry),
  "relays that have no line in common": ofRelays((entry, i) =>
    entry.replace(/^pr .*/m, `pr A${i}=1-3 Link=1-5`).replace("Fast ", ""),
  ),
  "protocol lines that have one hash": (n) => {
    const names = colliding(n);
    return ofRelays((entry, i) => entry.replace(/^pr .*/m, `pr ${names[i]}=1`))(n);
  },
  "relays with as many lines as can be": ofRelays((entry) =>
    entry.replace(/^w /m, `${"x-new a b\n".repeat(80)}w `),
  ),
  "relays with long lines": ofRelays((entry) => entry.replace(/^v .*/m, `v ${"a ".repeat(500)}`)),
  "relays with long lines that are read": ofRelays((entry) =>
    entry.replace(/^(r .*)/m, `$1${" a".repeat(500)}`),
  ),
  "blank lines": (n) => head + "\n".repeat(64 * n) + tail,
  "unknown keywords that have one hash": (n) =>
    ofRelays((entry, i) => entry.replace(/^w /m, `${colliding(1 << 6)[i % 64]}\nw `))(n),
  "keywords that come again": (n) => head.replace("params", `${"params a=1\n".repeat(16 * n)}params`) + tail,
  "one parameter line": (n) => head.replace(/params .*/, `params ${"a=1 ".repeat(16 * n)}`) + tail,
  "one long line": (n) => head.replace("params", `x-new ${"a".repeat(64 * n)}\nparams`) + tail,
  "BEGIN within BEGIN": (n) =>
    head.replace("params", `x-new\n${"-----BEGIN A-----\n".repeat(8 * n)}params`) + tail,
  "BEGIN of many words": (n) =>
    head.replace("params", `x-new\n-----BEGIN ${"A ".repeat(64 * n)}params`) + tail,
  "objects of all lines": ofRelays((entry) =>
    entry.replace(/^(m .*\n)/m, "$1-----BEGIN A-----\nAAAA\n-----END A-----\n"),
  ),
  "one object": (n) => `${head}${tail}-----BEGIN A-----\n${"AAAAAAA\n".repeat(16 * n)}-----END A-----\n`,
  signatures: (n) => head + tail + authority.sign(head).repeat(n / 8),
  authorities: (n) => head + `dir-source a ${"0".repeat(40)} a 1.1.1.1 1 1\ncontact a\n`.repeat(4 * n) + tail,
};

const families = (n: number) =>
  Array.from({ length: n }, (_, i) => `$${i.toString(16).padStart(40, "A")}`).join(" ");
const microdescriptors: Record<string, (n: number) => string> = {
  "usual ones": (n) => microdescriptor.repeat(4 * n),
  "ones with different families": (n) =>
    Array.from({ length: n }, (_, i) =>
      microdescriptor.replace(/^p /m, `family $${i} ${families(20)}\np `),
    ).join(""),
  "one family": (n) => microdescriptor.replace(/^p /m, `family ${families(n)}\np `),
  "families that come again": (n) => microdescriptor + "family a b c\n".repeat(16 * n),
  "identities of other kinds": (n) => microdescriptor + "id other AAAA\n".repeat(16 * n),
  "onion keys and nothing else": (n) => "onion-key\n".repeat(16 * n),
  ports: (n) => microdescriptor.replace(/^p .*/m, `p accept ${"1,".repeat(64 * n)}`),
  "onion keys of many lines": (n) => `onion-key\n-----BEGIN RSA PUBLIC KEY-----\n${"A\n".repeat(64 * n)}`,
};

const certificates: Record<string, (n: number) => string> = {
  "the same one": (n) => certificate.repeat(n / 32),
  "unknown lines": (n) => certificate.replace("dir-key-pub", `${"x-new a b c\n".repeat(8 * n)}dir-key-pub`),
  "lines that come again": (n) =>
    certificate.replace("dir-key-pub", `${"fingerprint A\n".repeat(8 * n)}dir-key-pub`),
  "a key of many lines": (n) => certificate.replace("KEY-----\n", `KEY-----\n${"A\n".repeat(64 * n)}`),
  "a start and nothing else": (n) => "dir-key-certificate-version 3\n".repeat(4 * n),
};

const kinds: [string, Record<string, (n: number) => string>, (bytes: Uint8Array) => unknown][] = [
  ["a consensus", consensuses, parseConsensus],
  [
    "microdescriptors",
    microdescriptors,
    (bytes) => {
      const pool = new MicrodescriptorPool();
      for (const part of splitMicrodescriptors(bytes)) parseMicrodescriptor(part, pool);
    },
  ],
  ["key certificates", certificates, parseKeyCertificates],
];

/** Reads, and takes a TorError for an answer. */
async function attempt(parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array): Promise<void> {
  try {
    await parse(bytes);
  } catch (error) {
    if (!isTorError(error)) throw error;
  }
}

/** How many bytes of `bytes` a parser looks at, one by one, in a search or in a slice. */
async function bytesRead(parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array): Promise<number> {
  let count = 0;
  const counted = (target: Uint8Array): Uint8Array =>
    new Proxy(target, {
      get(_, name) {
        if (typeof name === "string" && /^[0-9]/.test(name)) {
          count++;
          return target[Number(name)];
        }
        if (name === "subarray" || name === "slice") {
          return (from = 0, to = target.length) => {
            count += Math.max(0, to - from);
            return target.subarray(from, to);
          };
        }
        if (name === "indexOf") {
          return (value: number, from = 0) => {
            const found = target.indexOf(value, from);
            count += (found < 0 ? target.length : found) - from + 1;
            return found;
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  await attempt(parse, counted(bytes));
  return count;
}

async function milliseconds(parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await attempt(parse, bytes);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

it("the count below counts: a document is not read in less than its length", async () => {
  const document = utf8(consensuses["usual relays"]?.(64) ?? "");
  expect(
    await bytesRead(async (bytes) => expect((await parseConsensus(bytes)).routers.length).toBe(64), document),
  ).toBeGreaterThan(document.length);
});

describe.each(kinds)("%s", (_, shapes, parse) => {
  describe.each(Object.entries(shapes))("of %s", (_, make) => {
    it("takes a look at twice as many bytes when it is twice as long", async () => {
      const [small, large] = [utf8(make(128)), utf8(make(256))];
      const counts = [await bytesRead(parse, small), await bytesRead(parse, large)] as const;
      expect(counts[1] / counts[0]).toBeLessThan(2.2);
      // Some five looks for each byte: the search for its line's end, the keyword, the text.
      expect(counts[1]).toBeLessThan(8 * large.length);
    });

    it("takes not much more than 16 times as long when it is", async () => {
      const [small, large] = [utf8(make(128)), utf8(make(2048))];
      expect(large.length / small.length).toBeGreaterThan(8);
      let best = Number.POSITIVE_INFINITY;
      // Others on the machine can make it slower, never faster: what is quadratic gives 256 each time.
      for (let tries = 0; tries < 10 && best >= 64; tries++) {
        const [fast, slow] = [await milliseconds(parse, small), await milliseconds(parse, large)];
        // Half a millisecond is what a measurement may be off by.
        best = Math.min(best, slow / Math.max(fast, 0.5));
      }
      expect(best).toBeLessThan(64);
    });
  });
});
