import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { utf8 } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import { type Item, itemArguments, LineMemo, Tokenizer } from "../../src/directory/documents/tokenizer.ts";

function read(text: string): Item[] {
  const tokens = new Tokenizer(utf8(text));
  const items: Item[] = [];
  for (let item = tokens.next(); item !== undefined; item = tokens.next()) items.push(item);
  return items;
}

describe("the meta-format (dir-spec 1.2)", () => {
  it("reads keywords, arguments and objects", () => {
    const text =
      "first a  b\tc\n\nsecond\n-----BEGIN SOME THING-----\nAAEC\nAw==\n-----END SOME THING-----\nthird \t x\n";
    const tokens = new Tokenizer(utf8(text));
    const first = tokens.next() as Item;
    expect([first.keyword, itemArguments(first, 3)]).toEqual(["first", ["a", "b", "c"]]);
    const second = tokens.next() as Item;
    expect(second.rest).toBe("");
    expect(tokens.object(second, "SOME THING")).toEqual(Uint8Array.of(0, 1, 2, 3));
    expect(text.slice(second.start, second.lineEnd)).toBe("second\n");
    expect(tokens.next()?.rest).toBe("x");
    expect(tokens.next()).toBeUndefined();
  });

  it("takes bytes above ASCII in a comment and keeps offsets in bytes", () => {
    const text = "contact Zoë\nnext\n";
    expect(read(text)[1]?.start).toBe(utf8("contact Zoë\n").length);
  });

  it.each([
    ["no newline at the end", "keyword a"],
    ["a NUL byte", "keyword a\0b\n"],
    ["a keyword that begins with a dash", "-keyword\n"],
    ["a keyword with another character", "key_word\n"],
    ["a line that begins with a space", " keyword\n"],
    ["an object before any keyword", "-----BEGIN A-----\n-----END A-----\n"],
    ["an object without an end", "k\n-----BEGIN A-----\nAAAA\n"],
    ["an object with another end", "k\n-----BEGIN A-----\nAAAA\n-----END B-----\n"],
    ["a malformed BEGIN line", "k\n-----BEGIN -----\nAAAA\n-----END -----\n"],
    ["a carriage return in a keyword", "keyword\r\n"],
  ])("refuses %s", (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: "ALLIUM_E_BAD_DOCUMENT" }));
  });

  it("refuses a line of more than 128 KiB, which would be cut into millions of arguments", () => {
    const longest = `k ${"a ".repeat(64 * 1024 - 1)}\n`;
    expect(read(longest)).toHaveLength(1);
    expect(() => read(`k ${"a ".repeat(64 * 1024)}\n`)).toThrow(
      expect.objectContaining({ code: "ALLIUM_E_BAD_DOCUMENT" }),
    );
  });

  it("refuses a longer line of an object and a longer object too", () => {
    const refused = expect.objectContaining({ code: "ALLIUM_E_BAD_DOCUMENT" });
    const object = (lines: number) =>
      `k\n-----BEGIN A-----\n${`${"A".repeat(63)}\n`.repeat(lines)}-----END A-----\n`;
    expect(read(object(2048))).toHaveLength(1);
    expect(() => read(object(2049))).toThrow(refused);
    expect(() => read(object(1).replace("A\n", `${"A".repeat(128 * 1024)}\n`))).toThrow(refused);
    // The pattern for this line once ran out of stack here, which was a RangeError.
    expect(() => read(`k\n-----BEGIN ${"A ".repeat(7_500_000)}A-----x\n`)).toThrow(refused);
  });

  it("refuses more than 512 arguments, and keeps apart those between spaces and tabs", () => {
    const [most, over, mixed] = read(`k${" a".repeat(512)} \nk${" a".repeat(513)}\nk \t a \tb  c\t\n`);
    expect(itemArguments(most as Item, 0)).toHaveLength(512);
    expect(() => itemArguments(over as Item, 0)).toThrow(/too many/);
    expect(itemArguments(mixed as Item, 3)).toEqual(["a", "b", "c"]);
  });

  it("tells lines and keywords apart that have one hash", () => {
    // "Aa" and "BB" have the same hash, and so has whatever is made of them.
    const items = read("AaAa 1\nBBBB 1\nAaBB 1\nAaAa 1\n");
    expect(items.map(({ keyword }) => keyword)).toEqual(["AaAa", "BBBB", "AaBB", "AaAa"]);
    expect(new Set(items.map((item) => item.lineHash())).size).toBe(1);
    let parsed = 0;
    const memo = new LineMemo((item) => `${item.keyword} ${++parsed}`);
    expect(items.map((item) => memo.get(item))).toEqual(["AaAa 1", "BBBB 2", "AaBB 3", "AaAa 1"]);
  });

  it("refuses an object that is not base64, of another type, or missing", () => {
    for (const [text, tag] of [
      ["k\n-----BEGIN A-----\nA*AA\n-----END A-----\n", "A"],
      ["k\n-----BEGIN A-----\nAAAA\n-----END A-----\n", "B"],
      ["k\n", "A"],
    ] as const) {
      const tokens = new Tokenizer(utf8(text));
      const item = tokens.next() as Item;
      expect(() => tokens.object(item, tag)).toThrow(
        expect.objectContaining({ code: "ALLIUM_E_BAD_DOCUMENT" }),
      );
    }
  });

  it("throws nothing but TorError, whatever the bytes", () => {
    const line = fc.constantFrom(
      "k a b\n",
      "k\n",
      "-----BEGIN A-----\n",
      "-----END A-----\n",
      "AAAA\n",
      "\n",
      " ",
      "-",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.array(line).map((all) => utf8(all.join(""))),
        ),
        (bytes) => {
          try {
            const tokens = new Tokenizer(bytes);
            while (tokens.next() !== undefined);
          } catch (error) {
            expect(isTorError(error)).toBe(true);
          }
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  it("does work in proportion to the length, for the shapes that tempt a parser to look back", () => {
    const shapes = {
      lines: (n: number) => "k a b c\n".repeat(n),
      newlines: (n: number) => "\n".repeat(n * 8),
      "one long line": (n: number) => `k${" a".repeat(n * 4)}\n`,
      "one long keyword": (n: number) => `${"k".repeat(n * 8)}\n`,
      "one long object": (n: number) => `k\n-----BEGIN A-----\n${"AAAAAAA\n".repeat(n)}-----END A-----\n`,
      objects: (n: number) => "k\n-----BEGIN A-----\nAA\n-----END A-----\n".repeat(n / 4),
    };
    for (const make of Object.values(shapes)) {
      const small = workOf(utf8(make(2000)));
      const large = workOf(utf8(make(8000)));
      expect(large / small).toBeLessThan(4.2);
    }
  });
});

/** Bytes that are searched or taken while a document is read. */
function workOf(bytes: Uint8Array): number {
  let work = 1;
  const { indexOf, subarray } = Uint8Array.prototype;
  const search = vi.spyOn(bytes, "indexOf").mockImplementation((value, from = 0) => {
    const found = indexOf.call(bytes, value, from);
    work += (found < 0 ? bytes.length : found) - from + 1;
    return found;
  });
  const slices = vi.spyOn(bytes, "subarray").mockImplementation((from = 0, to = bytes.length) => {
    work += to - from;
    return subarray.call(bytes, from, to) as Uint8Array<ArrayBuffer>;
  });
  const tokens = new Tokenizer(bytes);
  for (let item = tokens.next(); item !== undefined; item = tokens.next()) work += item.rest.length;
  search.mockRestore();
  slices.mockRestore();
  return work;
}
