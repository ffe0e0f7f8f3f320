// HPACK (RFC 7541): the RFC's own examples, what other encoders made, and what no decoder may take.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { concat, Reader, Writer } from "../../../src/base/bytes.ts";
import { fromHex, latin1, toHex } from "../../../src/base/encoding.ts";
import { encodeFields, HpackDecoder, readInteger, writeInteger } from "../../../src/net/http2/hpack.ts";
import { huffmanDecode } from "../../../src/net/http2/huffman.ts";
import { APPENDIX_B } from "./hpack/appendix-b-vectors.ts";
import { APPENDIX_C } from "./hpack/appendix-c-vectors.ts";

type Field = [string, string];

/** `name: value`; a pseudo-header field's name has a colon of its own. */
function field(line: string): Field {
  const colon = line.indexOf(":", 1);
  return [line.slice(0, colon), line.slice(colon + 2)];
}

/** The dynamic table, read through its indices, which changes nothing. */
function tableOf(decoder: HpackDecoder): Field[] {
  const entries: Field[] = [];
  for (let index = 62; ; index++) {
    try {
      entries.push(decoder.decode(indexed(index))[0] as Field);
    } catch {
      return entries;
    }
  }
}

function indexed(index: number): Uint8Array {
  const writer = new Writer();
  writeInteger(writer, 0x80, 7, index);
  return writer.finish();
}

/** The code with which a block is refused. */
function refusal(block: Uint8Array | string, decoder = new HpackDecoder()): string | undefined {
  try {
    decoder.decode(typeof block === "string" ? fromHex(block) : block);
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

/** A literal that goes into the table, without Huffman. */
function literal(name: string, value: string, flags = 0x40): Uint8Array {
  const writer = new Writer().u8(flags);
  for (const text of [name, value]) {
    writeInteger(writer, 0, 7, text.length);
    writer.bytes(latin1(text));
  }
  return writer.finish();
}

describe("integers (RFC 7541 5.1)", () => {
  const examples: [string, number, number, string][] = [
    ["C.1.1", 10, 5, "0a"],
    ["C.1.2", 1337, 5, "1f9a0a"],
    ["C.1.3", 42, 8, "2a"],
  ];
  for (const [name, value, prefix, wire] of examples) {
    it(`read and write ${name}`, () => {
      const bytes = fromHex(wire);
      expect(readInteger(new Reader(bytes.subarray(1)), bytes[0] as number, prefix)).toBe(value);
      const writer = new Writer();
      writeInteger(writer, 0, prefix, value);
      expect(toHex(writer.finish())).toBe(wire);
    });
  }

  it("read what they write, at every edge", () => {
    for (const value of [0, 14, 15, 16, 126, 127, 128, 142, 143, 254, 255, 16_397, 131_072, 2 ** 28 - 1]) {
      for (const prefix of [4, 5, 6, 7]) {
        const writer = new Writer();
        writeInteger(writer, 0, prefix, value);
        const [first, ...rest] = writer.finish();
        expect(readInteger(new Reader(Uint8Array.from(rest)), first as number, prefix)).toBe(value);
      }
    }
  });
});

describe("appendix B", () => {
  const codes = APPENDIX_B.split(" ").map((entry) => {
    const [code = "", length] = entry.split("/");
    return BigInt(`0x${code}`).toString(2).padStart(Number(length), "0");
  });

  /** Bits as bytes, padded with ones. */
  function packed(bits: string): Uint8Array {
    const whole = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
    return Uint8Array.from(whole.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
  }

  it("has a code for each byte, which is read alone and between others", () => {
    expect(codes).toHaveLength(257);
    codes.slice(0, 256).forEach((code, byte) => {
      const char = String.fromCharCode(byte);
      expect(huffmanDecode(packed(code))).toBe(char);
      expect(huffmanDecode(packed(`${codes[97]}${code}${codes[98]}`))).toBe(`a${char}b`);
    });
  });

  it("has one that is never read: the end of the string", () => {
    expect(huffmanDecode(packed(codes[256] as string))).toBeUndefined();
    expect(huffmanDecode(packed(`${codes[97]}${codes[256]}`))).toBeUndefined();
  });
});

describe("appendix C", () => {
  for (const { name, tableSize, blocks } of APPENDIX_C) {
    it(`${name} reads as it should and leaves the table that it should`, () => {
      const decoder = new HpackDecoder(tableSize);
      for (const { wire, fields, table } of blocks) {
        expect(decoder.decode(fromHex(wire))).toEqual(fields.map(field));
        expect(tableOf(decoder)).toEqual(table.map(field));
      }
    });
  }
});

describe("other encoders' stories", () => {
  const text = readFileSync(new URL("hpack/stories.txt", import.meta.url), "utf8");
  const stories = text.trimEnd().slice(2).split("\n# ");

  it("are all there", () => expect(stories).toHaveLength(12));

  for (const story of stories) {
    const [title = "", ...blocks] = story.split("\n> ");
    const [name, tableSize] = title.split(" ");
    it(`read as they should: ${name}`, () => {
      const decoder = new HpackDecoder(Number(tableSize));
      for (const block of blocks) {
        const [wire = "", ...fields] = block.split("\n");
        expect(decoder.decode(fromHex(wire))).toEqual(fields.map(field));
      }
    });
  }
});

describe("a malformed block", () => {
  const cases: Record<string, string> = {
    "the index 0 (6.1)": "80",
    "an index beyond both tables (2.3.3)": "be",
    "a name's index beyond both tables": "7e0161",
    "an index that ends early": "ff",
    "an integer of six bytes (5.1)": "ffffffffff7f",
    "an integer of many zeros (5.1)": "3f8080808000",
    "a string that ends early (5.2)": "400a6375",
    "a value that is not there": "4001610a",
    "a string that claims 2^28 bytes": "407fffffff7f",
    "a table size beyond what was allowed (6.3)": "3fe21f",
    "a table size update after a field (4.2)": "8220",
    "Huffman padding of zeros (5.2)": "4081f0017f",
    "Huffman padding of eight bits (5.2)": "40821fff0161",
    "Huffman padding of a whole byte and more": "40831fffff0161",
    "the Huffman code for the end of the string (5.2)": "4084ffffffff0161",
    "a Huffman code cut short": "4081fe0161",
  };
  for (const [name, wire] of Object.entries(cases)) {
    it(`is refused: ${name}`, () => expect(refusal(wire)).toBe("ALLIUM_E_HTTP2_COMPRESSION"));
  }

  it("is refused wherever a good one is cut, unless a field ends there", () => {
    const whole = fromHex(APPENDIX_C[7]?.blocks[0]?.wire as string);
    const ends = new Set<number>();
    for (let length = 0; length <= whole.length; length++) {
      if (refusal(whole.subarray(0, length)) === undefined) ends.add(length);
    }
    expect([...ends]).toEqual([0, 4, 11, 35, 54]);
  });

  it("is refused, or read, and never worse, whatever is flipped in it", () => {
    const whole = fromHex(APPENDIX_C[7]?.blocks[2]?.wire as string);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = whole.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      const code = refusal(flipped);
      expect([undefined, "ALLIUM_E_HTTP2_COMPRESSION"]).toContain(code);
    }
  });
});

describe("the dynamic table", () => {
  it("takes no entry that is larger than it, and is empty afterwards (4.4)", () => {
    const decoder = new HpackDecoder(64);
    decoder.decode(literal("a", "b"));
    expect(tableOf(decoder)).toHaveLength(1);
    expect(decoder.decode(literal("a", "c".repeat(40)))).toEqual([["a", "c".repeat(40)]]);
    expect(tableOf(decoder)).toEqual([]);
  });

  it("keeps out what is literal without indexing or never indexed (6.2.2, 6.2.3)", () => {
    const decoder = new HpackDecoder();
    decoder.decode(concat(literal("a", "b", 0), literal("c", "d", 0x10)));
    expect(tableOf(decoder)).toEqual([]);
  });

  it("names an entry that this very field drives out (4.4)", () => {
    const decoder = new HpackDecoder(100);
    decoder.decode(literal("name", "a".repeat(40)));
    const fields = decoder.decode(concat(fromHex("7e28"), latin1("b".repeat(40))));
    expect(fields).toEqual([["name", "b".repeat(40)]]);
    expect(tableOf(decoder)).toEqual(fields);
  });

  it("shrinks and grows as it is told, once or several times at the beginning of a block (4.2, 6.3)", () => {
    const decoder = new HpackDecoder();
    decoder.decode(concat(literal("a", "1"), literal("b", "2"), literal("c", "3")));
    decoder.decode(fromHex("3f25"));
    expect(tableOf(decoder)).toEqual([
      ["c", "3"],
      ["b", "2"],
    ]);
    expect(decoder.decode(fromHex("203fe11f82"))).toEqual([[":method", "GET"]]);
    expect(tableOf(decoder)).toEqual([]);
    decoder.decode(literal("a", "1"));
    expect(tableOf(decoder)).toHaveLength(1);
  });

  it("never has more than 128 entries, of the smallest kind", () => {
    const decoder = new HpackDecoder();
    decoder.decode(concat(...Array.from({ length: 200 }, () => literal("", ""))));
    expect(tableOf(decoder)).toHaveLength(128);
  });
});

describe("a header list", () => {
  it("of more than 128 KiB is refused, though its block is a few hundred bytes", () => {
    const decoder = new HpackDecoder();
    decoder.decode(literal("n", "v".repeat(4063)));
    const bomb = new Uint8Array(32).fill(0xbe);
    expect(decoder.decode(bomb)).toHaveLength(32);
    expect(refusal(concat(bomb, Uint8Array.of(0xbe)), decoder)).toBe("ALLIUM_E_HTTP_LIMIT");
  });

  it("counts 32 bytes for each field", () => {
    expect(new HpackDecoder().decode(new Uint8Array(131_072 / 42).fill(0x82))).toHaveLength(3120);
    expect(refusal(new Uint8Array(131_072 / 42 + 1).fill(0x82))).toBe("ALLIUM_E_HTTP_LIMIT");
  });
});

describe("the encoder", () => {
  const fields: Field[] = [
    [":method", "GET"],
    [":path", "/a?b"],
    ["accept-encoding", "gzip, deflate"],
    ["x-long", "\xff".repeat(300)],
    ["cookie", "a=b"],
    ["authorization", "secret"],
  ];

  it("is understood by the decoder and leaves its table empty", () => {
    const decoder = new HpackDecoder();
    expect(decoder.decode(encodeFields(fields))).toEqual(fields);
    expect(tableOf(decoder)).toEqual([]);
  });

  it("writes what the static table has as one byte", () => {
    expect(toHex(encodeFields([[":method", "GET"], fields[2] as Field]))).toBe("8290");
  });

  it("marks what must never be indexed (7.1.3), and nothing else", () => {
    expect(toHex(encodeFields([["cookie", "a"]]))).toBe("1f110161");
    expect(toHex(encodeFields([["authorization", "a"]]))).toBe("1f080161");
    expect(toHex(encodeFields([["date", "a"]]))).toBe("0f120161");
  });

  it("says first that its table is empty, where it must", () => {
    expect(toHex(encodeFields([[":method", "GET"]], true))).toBe("2082");
  });
});
