import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { toHex, utf8 } from "../../src/base/encoding.ts";
import { randomBytes, randomInt } from "../../src/base/random.ts";
import {
  CellDecoder,
  encodeVariableCell,
  FIXED_CELL_LENGTH,
  writeFixedCell,
} from "../../src/link/cell-codec.ts";
import { fixedCell, variableCell, versionsCell } from "./scripted-relay.ts";
import { hex, recordedCertsCell } from "./vectors.ts";

/** A cell, copied from where the decoder stood. */
interface Cell {
  readonly circuitId: number;
  readonly command: number;
  readonly body: Uint8Array;
}

function openDecoder(): CellDecoder {
  const decoder = new CellDecoder();
  decoder.circuitIdLength = 4;
  return decoder;
}

function drain(decoder: CellDecoder): Cell[] {
  const cells: Cell[] = [];
  while (decoder.next()) cells.push(standsOn(decoder));
  return cells;
}

function standsOn(decoder: CellDecoder): Cell {
  const { circuitId, command, bytes, from, to } = decoder;
  const body = decoder.body();
  if (Buffer.compare(body, bytes.subarray(from, to)) !== 0)
    throw new Error("body() is not what it stands on");
  return { circuitId, command, body };
}

function decode(chunks: readonly Uint8Array[]): Cell[] {
  const decoder = openDecoder();
  return chunks.flatMap((chunk) => {
    decoder.append(chunk);
    return drain(decoder);
  });
}

const text = (cells: readonly Cell[]) =>
  cells.map(({ circuitId, command, body }) => `${circuitId} ${command} ${toHex(body)}`);

function pad(bytes: Uint8Array): Uint8Array {
  return concat(bytes, new Uint8Array(FIXED_CELL_LENGTH - bytes.length));
}

// Cells of arti's tests/test_chancell.rs.
const relayVector = pad(hex("20201122 03 666f72206120636f64652063616c6c656420706561636574696d65"));
const variableVector = hex("12345678 ff 0019 7765206c697374656e20726f756e642074686520636c6f636b");

describe("known cells", () => {
  it("are decoded", () => {
    const [padding, relay, unknown, ...rest] = decode([concat(pad(hex("")), relayVector, variableVector)]);
    expect(rest).toEqual([]);
    expect(padding).toEqual({ circuitId: 0, command: 0, body: new Uint8Array(509) });
    expect(relay?.circuitId).toBe(0x20201122);
    expect(relay?.command).toBe(3);
    expect(relay?.body.length).toBe(509);
    expect(relay?.body.subarray(0, 24)).toEqual(utf8("for a code called peacet"));
    expect(unknown).toEqual({ circuitId: 0x12345678, command: 255, body: utf8("we listen round the clock") });
  });

  it("are encoded", () => {
    const target = new Uint8Array(2 * FIXED_CELL_LENGTH).fill(0xee);
    writeFixedCell(target, FIXED_CELL_LENGTH, 0x20201122, 3, utf8("for a code called peacetime"));
    expect(target.subarray(FIXED_CELL_LENGTH)).toEqual(relayVector);
    expect(target.subarray(0, FIXED_CELL_LENGTH)).toEqual(new Uint8Array(FIXED_CELL_LENGTH).fill(0xee));
    expect(toHex(encodeVariableCell(2, 7, hex("000300040005")))).toBe("0000070006000300040005");
    expect(toHex(encodeVariableCell(4, 128, hex("ffffff")))).toBe("00000000800003ffffff");
  });

  it("have circuit ids of 32 bits without a sign", () => {
    const target = new Uint8Array(FIXED_CELL_LENGTH);
    writeFixedCell(target, 0, 0xfedcba98, 4, new Uint8Array(0));
    expect(decode([target])[0]?.circuitId).toBe(0xfedcba98);
  });

  it.each([
    ..."00000001031234 000000010312 0000000103 00000001 000000".split(" "),
    ..."00000000810003 0000000081000312 000000008100 0000000081".split(" "),
    "",
  ])("are not given out before they are whole: %s", (start) => {
    expect(decode([hex(start)])).toEqual([]);
  });
});

describe("the decoder", () => {
  const cells = [
    relayVector,
    variableVector,
    variableCell(0, 129, recordedCertsCell),
    variableCell(0, 128, new Uint8Array(0)),
    fixedCell(0x80000001, 3, randomBytes(509)),
    fixedCell(0x80000002, 4, Uint8Array.of(9)),
  ];
  const stream = concat(...cells);
  const whole = text(decode([stream]));

  it("takes a stream that is cut at any one place", () => {
    expect(whole.length).toBe(cells.length);
    for (let at = 0; at <= stream.length; at++) {
      expect(text(decode([stream.slice(0, at), stream.slice(at)]))).toEqual(whole);
    }
  });

  it.each([1, 2, 3, 5, 7, 513, 514, 515])("takes a stream in chunks of %i bytes", (size) => {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size) chunks.push(stream.slice(at, at + size));
    expect(text(decode(chunks))).toEqual(whole);
  });

  it("takes chunks of many records, cut at random", () => {
    const many = Array.from({ length: 400 }, (_, i) =>
      i % 7 === 0 ? variableCell(0, 200, randomBytes(randomInt(3000))) : fixedCell(i, 3, randomBytes(509)),
    );
    const bytes = concat(...many);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + randomInt(100_000);
      chunks.push(bytes.slice(at, at + size));
      at += size;
    }
    const expected = many.flatMap((cell) => text(decode([cell])));
    expect(text(decode(chunks))).toEqual(expected);
  });

  it("takes an empty chunk", () => {
    expect(text(decode([new Uint8Array(0), stream, new Uint8Array(0)]))).toEqual(whole);
  });

  it.each([100_000, 514, 1, 300, 513, 515, 1200])(
    "stands on bodies that may be changed in place without touching another's, in chunks of %i bytes",
    (size) => {
      const bodies = Array.from({ length: 100 }, () => randomBytes(509));
      const bytes = concat(...bodies.map((body, i) => fixedCell(i, 3, body)));
      const decoder = openDecoder();
      const found: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        decoder.append(bytes.slice(at, at + size));
        while (decoder.next()) {
          found.push(decoder.body());
          decoder.bytes.fill(0xee, decoder.from, decoder.to);
        }
      }
      expect(found).toEqual(bodies);
    },
  );

  it("gives copies of bodies that hold nothing else in memory and that nothing changes", () => {
    const bodies = Array.from({ length: 100 }, () => randomBytes(509));
    const chunk = concat(...bodies.map((body, i) => fixedCell(i, 3, body)));
    const found = decode([chunk]);
    chunk.fill(0);
    expect(found.map(({ body }) => body)).toEqual(bodies);
    for (const { body } of found) expect(body.buffer.byteLength).toBe(509);
  });

  it("takes no memory for a cell: whole ones stay in their chunk, cut ones share a place", () => {
    const decoder = openDecoder();
    const cells = Array.from({ length: 6 }, (_, i) => fixedCell(i, 3, randomBytes(509)));
    const chunk = concat(...cells);
    decoder.append(chunk);
    for (let i = 0; i < cells.length; i++) {
      expect(decoder.next()).toBe(true);
      expect(decoder.bytes).toBe(chunk);
      expect([decoder.from, decoder.to]).toEqual([514 * i + 5, 514 * i + 514]);
    }
    expect(decoder.next()).toBe(false);
    const places = new Set<Uint8Array>();
    for (const cell of cells) {
      decoder.append(cell.slice(0, 100));
      expect(decoder.next()).toBe(false);
      decoder.append(cell.slice(100));
      expect(decoder.next()).toBe(true);
      expect(decoder.body()).toEqual(cell.slice(5));
      places.add(decoder.bytes);
    }
    expect(places.size).toBe(1);
    expect(decoder.next()).toBe(false);
  });

  it("reads circuit ids of two bytes until it is told otherwise", () => {
    const decoder = new CellDecoder();
    decoder.append(concat(versionsCell(4, 5), variableVector));
    expect(decoder.next()).toBe(true);
    expect(standsOn(decoder)).toEqual({ circuitId: 0, command: 7, body: hex("00040005") });
    decoder.circuitIdLength = 4;
    expect(text(drain(decoder))).toEqual(text(decode([variableVector])));
  });
});

describe("a variable cell's length", () => {
  const tooLong = expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_LINK_CELL_LENGTH" });

  it.each([
    [7, 512],
    [129, 16 * 1024],
    [130, 1024],
  ])("is bounded for command %i, and refused before the body is there", (command, most) => {
    const header = (length: number) => Uint8Array.of(0, 0, 0, 0, command, length >> 8, length & 255);
    expect(decode([header(most)])).toEqual([]);
    expect(() => decode([header(most + 1)])).toThrow(tooLong);
    const bytes = header(most + 1);
    expect(() => decode([bytes.slice(0, 6), bytes.slice(6)])).toThrow(tooLong);
  });

  it("may be all that the format allows for padding and for unknown commands", () => {
    for (const command of [128, 250]) {
      const cell = variableCell(0, command, new Uint8Array(65_535));
      expect(decode([cell])[0]?.body.length).toBe(65_535);
    }
  });
});

it("asks whether a command may come before it waits for the body", () => {
  const decoder = openDecoder();
  decoder.check = (command) => {
    if (command === 3) throw new Error("not now");
  };
  decoder.append(Uint8Array.of(0, 0, 0, 1, 4));
  expect(decoder.next()).toBe(false);
  decoder.append(new Uint8Array(509));
  expect(decoder.next()).toBe(true);
  expect(decoder.command).toBe(4);
  decoder.append(Uint8Array.of(0, 0, 0, 1, 3));
  expect(() => decoder.next()).toThrow("not now");
});
