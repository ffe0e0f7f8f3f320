// SENDME windows: the numbers of C tor's test_sendme.c, authentication of circuit SENDMEs, and unpredictable cells.

import { describe, expect, test } from "vitest";
import { WindowFlow } from "../../src/circuit/flow/windows.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { encodeMessage } from "../../src/circuit/relaycell/messages.ts";

const MAX = 498;
const tagOf = (cell: number) => new Uint8Array(20).fill(cell & 255);
const sendme = (tag: Uint8Array, version = 1) =>
  encodeMessage({ command: RelayCommand.SENDME, version, tag });
const code = (rule: string) => expect.objectContaining({ code: `ALLIUM_E_CIRCUIT_${rule}` });

/** A flow that has sent this many cells; cell n (from 1) has tag n. */
function sentCells(count: number): WindowFlow {
  const flow = new WindowFlow();
  for (let cell = 1; cell <= count; cell++) flow.dataSent(tagOf(cell));
  return flow;
}

describe("circuit window, sending", () => {
  test("1000 cells, then none until a SENDME lets 100 more go", () => {
    const flow = sentCells(999);
    expect(flow.canSend).toBe(true);
    flow.dataSent(tagOf(1000));
    expect(flow.canSend).toBe(false);
    flow.sendmeReceived(sendme(tagOf(100)));
    for (let i = 0; i < 100; i++) {
      expect(flow.canSend).toBe(true);
      flow.dataSent(tagOf(i));
    }
    expect(flow.canSend).toBe(false);
  });

  test("SENDMEs must name the 100th, 200th, … cell in order", () => {
    const flow = sentCells(250);
    flow.sendmeReceived(sendme(tagOf(100)));
    flow.sendmeReceived(sendme(tagOf(200)));
    expect(() => flow.sendmeReceived(sendme(tagOf(250)))).toThrow(code("SENDME"));
  });

  test.each([99, 101, 200])("the tag of cell %d where the 100th is owed is refused", (cell) => {
    expect(() => sentCells(250).sendmeReceived(sendme(tagOf(cell)))).toThrow(code("SENDME_TAG"));
  });

  test("none is owed before 100 cells", () => {
    expect(() => sentCells(99).sendmeReceived(sendme(tagOf(99)))).toThrow(code("SENDME"));
  });

  test("version 0, an unknown version and a short tag are refused, a longer one is read as far as it is ours", () => {
    const tag = tagOf(100);
    expect(() => sentCells(100).sendmeReceived(new Uint8Array(0))).toThrow(code("SENDME_VERSION"));
    expect(() => sentCells(100).sendmeReceived(Uint8Array.of(0, 0, 0))).toThrow(code("SENDME_VERSION"));
    expect(() => sentCells(100).sendmeReceived(sendme(tag, 2))).toThrow(code("SENDME_VERSION"));
    expect(() => sentCells(100).sendmeReceived(sendme(tag.subarray(0, 19)))).toThrow(code("SENDME_TAG"));
    expect(() => sentCells(100).sendmeReceived(Uint8Array.of(65))).toThrow(code("MALFORMED"));
    sentCells(100).sendmeReceived(sendme(new Uint8Array(24).fill(100)));
  });
});

describe("circuit window, receiving", () => {
  test("a SENDME is due with every 100th cell", () => {
    const flow = new WindowFlow();
    const due: number[] = [];
    for (let cell = 1; cell <= 1200; cell++) if (flow.dataReceived()) due.push(cell);
    expect(due).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200]);
  });
});

describe("stream window", () => {
  test("500 cells out, 50 more for each SENDME, and no SENDME that is not owed", () => {
    const stream = new WindowFlow().stream();
    expect(() => stream.sendmeReceived()).toThrow(code("SENDME"));
    for (let i = 0; i < 500; i++) stream.dataSent();
    expect(stream.canSend).toBe(false);
    for (let i = 0; i < 10; i++) stream.sendmeReceived();
    expect(stream.canSend).toBe(true);
    expect(() => stream.sendmeReceived()).toThrow(code("SENDME"));
  });

  test("after 49 cells none is owed, after 50 one is", () => {
    const stream = new WindowFlow().stream();
    for (let i = 0; i < 49; i++) stream.dataSent();
    expect(() => stream.sendmeReceived()).toThrow(code("SENDME"));
    stream.dataSent();
    stream.sendmeReceived();
  });

  test("500 cells in, and more only for what was consumed, in steps of 50", () => {
    const stream = new WindowFlow().stream();
    for (let i = 0; i < 500; i++) stream.dataReceived();
    expect(stream.consumed(49)).toBe(0);
    expect(() => stream.dataReceived()).toThrow(code("STREAM_WINDOW"));
    expect(stream.consumed(52)).toBe(2);
    for (let i = 0; i < 100; i++) stream.dataReceived();
    expect(() => stream.dataReceived()).toThrow(code("STREAM_WINDOW"));
  });
});

describe("unpredictable cells", () => {
  test("every run of 100 full cells has one with room for 16 random bytes", () => {
    for (let run = 0; run < 20; run++) {
      const flow = new WindowFlow();
      const lengths = Array.from({ length: 2000 }, () => flow.dataLength(100_000, MAX));
      expect(new Set(lengths)).toEqual(new Set([MAX, MAX - 20]));
      let since = 0;
      for (const length of lengths) {
        since = length === MAX ? since + 1 : 0;
        expect(since).toBeLessThan(100);
      }
    }
  });

  test("cells that are short anyway spare the gap", () => {
    const flow = new WindowFlow();
    for (let i = 0; i < 1000; i++) expect(flow.dataLength(MAX - 64, MAX)).toBe(MAX - 64);
    const alternating = new WindowFlow();
    for (let i = 0; i < 1000; i++) {
      expect(alternating.dataLength(MAX - 64, MAX)).toBe(MAX - 64);
      expect(alternating.dataLength(MAX, MAX)).toBe(MAX);
    }
  });

  test("a cell one byte short is not random enough", () => {
    const flow = new WindowFlow();
    const lengths = Array.from({ length: 200 }, () => flow.dataLength(MAX - 1, MAX));
    expect(lengths).toContain(MAX - 20);
  });
});
