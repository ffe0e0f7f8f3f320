// Relay cell format V1: what stands where, which commands carry a stream id, and what is refused.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { randomBytes } from "../../src/base/random.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import type { RelayHeader } from "../../src/circuit/relaycell/format.ts";
import { relayCellV1 } from "../../src/circuit/relaycell/format-v1.ts";
import { CellBody } from "../../src/circuit/relaycrypto/cell-body.ts";

const CELL = 509;
/** C tor's relay_cmd_expects_streamid_in_v1(), and the rest of its is_known_relay_command(). */
const WITH_STREAM_ID = [1, 2, 3, 4, 11, 12, 13, 43, 44];
const WITHOUT_STREAM_ID = [
  5, 6, 7, 8, 9, 10, 14, 15, 19, 20, 21, 22, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
];
const KNOWN = [...WITH_STREAM_ID, ...WITHOUT_STREAM_ID];
const UNKNOWN = Array.from({ length: 256 }, (_, i) => i).filter((command) => !KNOWN.includes(command));

/** A cell full of something else, so that every byte must be written. */
function dirtyCell(): CellBody {
  const cell = new CellBody();
  cell.bytes.fill(0xee);
  return cell;
}

function encoded(command: number, streamId: number, data: Uint8Array): CellBody {
  const cell = dirtyCell();
  relayCellV1.encode(cell, command, streamId, data);
  return cell;
}

function decoded(cell: CellBody): RelayHeader {
  const header: RelayHeader = { command: -1, streamId: -1, dataFrom: -1, dataTo: -1 };
  relayCellV1.decode(cell, header);
  return header;
}

function streamIdFor(command: number): number {
  return WITH_STREAM_ID.includes(command) ? 0x1234 : 0;
}

function bodyOf(cell: CellBody): Uint8Array {
  return cell.body;
}

describe("a V1 relay cell", () => {
  it("has tag, command, length, stream id, data and padding, in this order", () => {
    const body = bodyOf(encoded(RelayCommand.DATA, 0xabcd, Uint8Array.of(1, 2, 3)));
    expect(toHex(body.subarray(0, 28))).toBe(`${"00".repeat(16)}020003abcd01020300000000`);
    expect(body.subarray(28).some((byte) => byte !== 0 && byte !== 0xee)).toBe(true);
  });

  it("has no stream id where the command is a circuit's", () => {
    const body = bodyOf(encoded(RelayCommand.SENDME, 0, Uint8Array.of(1, 2, 3)));
    expect(toHex(body.subarray(0, 26))).toBe(`${"00".repeat(16)}05000301020300000000`);
  });

  it("holds 488 bytes of data with a stream id, and 490 without", () => {
    for (const command of WITH_STREAM_ID) expect(relayCellV1.maxData(command)).toBe(488);
    for (const command of WITHOUT_STREAM_ID) expect(relayCellV1.maxData(command)).toBe(490);
  });

  it("is read as it was written: any command, stream and data", () => {
    const cell = fc.record({
      command: fc.constantFrom(...KNOWN),
      streamId: fc.integer({ min: 1, max: 65_535 }),
      data: fc.uint8Array({ maxLength: 490 }),
    });
    fc.assert(
      fc.property(cell, ({ command, streamId, data }) => {
        const id = WITH_STREAM_ID.includes(command) ? streamId : 0;
        const fitting = data.subarray(0, relayCellV1.maxData(command));
        const body = encoded(command, id, fitting);
        const header = decoded(body);
        expect([header.command, header.streamId]).toEqual([command, id]);
        expect(body.bytes.slice(header.dataFrom, header.dataTo)).toEqual(fitting.slice());
        expect(body.bytes.subarray(CELL).every((byte) => byte === 0xee)).toBe(true);
      }),
    );
  });

  it("is full at the limit, and then has no padding, or only zeros", () => {
    for (const command of [RelayCommand.DATA, RelayCommand.SENDME]) {
      const max = relayCellV1.maxData(command);
      for (let short = 0; short < 6; short++) {
        const data = randomBytes(max - short);
        const cell = encoded(command, streamIdFor(command), data);
        const { dataFrom, dataTo } = decoded(cell);
        expect(cell.bytes.slice(dataFrom, dataTo)).toEqual(data);
        const rest = cell.body.subarray(dataTo);
        expect(rest.length).toBe(short);
        expect(rest.subarray(0, 4).every((byte) => byte === 0)).toBe(true);
      }
    }
  });

  it("is padded with random bytes that differ from cell to cell", () => {
    const paddings = Array.from({ length: 20 }, () =>
      toHex(bodyOf(encoded(RelayCommand.DROP, 0, new Uint8Array(0))).subarray(23)),
    );
    expect(new Set(paddings).size).toBe(20);
  });

  it("has data of the length it claims, up to the last byte of the cell", () => {
    for (const command of KNOWN) {
      const cell = encoded(command, streamIdFor(command), new Uint8Array(0));
      const max = relayCellV1.maxData(command);
      cell.view.setUint16(17, max);
      const { dataFrom, dataTo } = decoded(cell);
      expect(dataTo - dataFrom).toBe(max);
      for (const length of [max + 1, 509, 65_535]) {
        cell.view.setUint16(17, length);
        expect(() => decoded(cell)).toThrow(
          expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_MALFORMED" }),
        );
      }
    }
  });

  it("is refused with a command that nobody knows, however it goes on", () => {
    expect(UNKNOWN.length).toBe(256 - 32);
    for (const command of UNKNOWN) {
      const cell = dirtyCell();
      cell.bytes.set(randomBytes(CELL));
      cell.bytes[16] = command;
      expect(() => decoded(cell)).toThrow(
        expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_UNKNOWN_COMMAND" }),
      );
      expect(() => encoded(command, 0, new Uint8Array(0))).toThrow(RangeError);
      expect(() => relayCellV1.maxData(command)).toThrow(RangeError);
    }
  });

  it("is read with stream id 0 where one is needed, for the caller to judge", () => {
    const cell = encoded(RelayCommand.DATA, 1, new Uint8Array(5));
    cell.view.setUint16(19, 0);
    expect(decoded(cell).streamId).toBe(0);
  });

  it("is not written with a stream id that the command has not, or without one that it has", () => {
    for (const command of WITH_STREAM_ID) {
      expect(() => encoded(command, 0, new Uint8Array(0))).toThrow(RangeError);
    }
    for (const command of WITHOUT_STREAM_ID) {
      expect(() => encoded(command, 1, new Uint8Array(0))).toThrow(RangeError);
    }
  });

  it("is not written with more data than fits", () => {
    for (const command of KNOWN) {
      const tooMuch = new Uint8Array(relayCellV1.maxData(command) + 1);
      expect(() => encoded(command, streamIdFor(command), tooMuch)).toThrow(RangeError);
    }
  });
});
