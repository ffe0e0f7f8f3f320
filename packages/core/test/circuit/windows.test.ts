// SENDME windows: the numbers of C tor's test_sendme.c, authentication of circuit SENDMEs, and unpredictable cells.

import { describe, expect, test } from "vitest";
import type { StreamFlow } from "../../src/circuit/flow/api.ts";
import { WindowFlow } from "../../src/circuit/flow/windows.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { encodeMessage } from "../../src/circuit/relaycell/messages.ts";

const MAX = 498;
const tagOf = (cell: number) => new Uint8Array(20).fill(cell & 255);
/** The crypto of a hop whose last cell has this number. */
const sent = (cell: number) => ({ sentTag: () => tagOf(cell) });
const sendme = (tag: Uint8Array, version = 1) =>
  encodeMessage({ command: RelayCommand.SENDME, version, tag });
const code = (rule: string) => expect.objectContaining({ code: `ALLIUM_E_CIRCUIT_${rule}` });

/** A flow that has sent this many cells; cell n (from 1) has tag n. */
function sentCells(count: number): WindowFlow {
  const flow = new WindowFlow();
  for (let cell = 1; cell <= count; cell++) flow.dataSent(sent(cell));
  return flow;
}

/** A stream's flow control, with the messages that it sent and how often it woke its stream. */
function streamFlow() {
  const sendmes: number[] = [];
  const woken = { times: 0 };
  const stream: StreamFlow = new WindowFlow().stream({
    send(command, data) {
      expect([command, data.length]).toEqual([RelayCommand.SENDME, 0]);
      sendmes.push(command);
    },
    wake: () => {
      woken.times++;
    },
  });
  return { stream, sendmes, woken };
}

describe("circuit window, sending", () => {
  test("1000 cells, then none until a SENDME lets 100 more go", () => {
    const flow = sentCells(999);
    expect(flow.canSend).toBe(true);
    flow.dataSent(sent(1000));
    expect(flow.canSend).toBe(false);
    flow.sendmeReceived(sendme(tagOf(100)));
    for (let i = 0; i < 100; i++) {
      expect(flow.canSend).toBe(true);
      flow.dataSent(sent(i));
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

  test("the tag is asked for once in 100 cells only", () => {
    const flow = new WindowFlow();
    const asked: number[] = [];
    for (let cell = 1; cell <= 1000; cell++) {
      flow.dataSent({
        sentTag() {
          asked.push(cell);
          return tagOf(cell);
        },
      });
    }
    expect(asked).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
  });

  test("version 0, an unknown version, a short tag and a longer one that begins as ours are refused", () => {
    const tag = tagOf(100);
    const refused = (data: Uint8Array, rule: string) =>
      expect(() => sentCells(100).sendmeReceived(data)).toThrow(code(rule));
    refused(new Uint8Array(0), "SENDME_VERSION");
    refused(Uint8Array.of(0, 0, 0), "SENDME_VERSION");
    refused(Uint8Array.of(0, 0, 20, ...tag), "SENDME_VERSION");
    refused(sendme(tag, 2), "SENDME_VERSION");
    refused(sendme(tag.subarray(0, 19)), "SENDME_TAG");
    refused(sendme(new Uint8Array(0)), "SENDME_TAG");
    refused(sendme(new Uint8Array(21).fill(100)), "SENDME_TAG");
    refused(sendme(new Uint8Array(24).fill(100)), "SENDME_TAG");
    refused(Uint8Array.of(65), "MALFORMED");
    sentCells(100).sendmeReceived(sendme(tag));
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
    const { stream } = streamFlow();
    expect(() => stream.sendmeReceived()).toThrow(code("SENDME"));
    for (let i = 0; i < 500; i++) {
      expect(stream.canSend).toBe(true);
      stream.dataSent(1);
    }
    expect(stream.canSend).toBe(false);
    stream.sendmeReceived();
    for (let i = 0; i < 50; i++) {
      expect(stream.canSend).toBe(true);
      stream.dataSent(1);
    }
    expect(stream.canSend).toBe(false);
    for (let i = 0; i < 10; i++) stream.sendmeReceived();
    expect(stream.canSend).toBe(true);
    expect(() => stream.sendmeReceived()).toThrow(code("SENDME"));
  });

  test("after 49 cells none is owed, after 50 one is", () => {
    const { stream } = streamFlow();
    for (let i = 0; i < 49; i++) stream.dataSent(1);
    expect(() => stream.sendmeReceived()).toThrow(code("SENDME"));
    stream.dataSent(1);
    stream.sendmeReceived();
  });

  test("the stream is woken when it may send again, and at no other time", () => {
    const { stream, woken } = streamFlow();
    for (let i = 0; i < 499; i++) stream.dataSent(1);
    stream.sendmeReceived();
    expect(woken.times).toBe(0);
    for (let i = 0; i < 51; i++) stream.dataSent(1);
    expect(stream.canSend).toBe(false);
    expect(woken.times).toBe(0);
    stream.sendmeReceived();
    expect(stream.canSend).toBe(true);
    expect(woken.times).toBe(1);
    stream.sendmeReceived();
    expect(woken.times).toBe(1);
  });

  test("500 cells in, and more only for what was consumed, in steps of 50, each with a SENDME", () => {
    const { stream, sendmes } = streamFlow();
    for (let i = 0; i < 500; i++) stream.dataReceived(i);
    stream.consumed(49, 49, 451);
    expect(sendmes).toHaveLength(0);
    expect(() => stream.dataReceived(1)).toThrow(code("STREAM_WINDOW"));
    stream.consumed(52, 52, 399);
    expect(sendmes).toHaveLength(2);
    for (let i = 0; i < 100; i++) stream.dataReceived(1);
    expect(() => stream.dataReceived(1)).toThrow(code("STREAM_WINDOW"));
    // One cell is left over of those that were consumed.
    stream.consumed(48, 48, 0);
    expect(sendmes).toHaveLength(2);
    stream.consumed(1, 1, 0);
    expect(sendmes).toHaveLength(3);
  });

  test("what comes after the stream was ended is held to it still", () => {
    const { stream, sendmes } = streamFlow();
    for (let i = 0; i < 100; i++) stream.dataSent(1);
    stream.stop();
    stream.sendmeReceived();
    stream.sendmeReceived();
    expect(() => stream.sendmeReceived()).toThrow(code("SENDME"));
    for (let i = 0; i < 500; i++) stream.dataReceived(0);
    expect(() => stream.dataReceived(0)).toThrow(code("STREAM_WINDOW"));
    expect(sendmes).toHaveLength(0);
  });

  test("XON and XOFF have no place beside it, whatever they say", () => {
    for (const data of [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0, 0, 0, 0, 1)]) {
      const { stream } = streamFlow();
      expect(() => stream.xonReceived(data)).toThrow(code("XON"));
      expect(() => stream.xoffReceived(data)).toThrow(code("XOFF"));
    }
  });

  test("streams have windows of their own", () => {
    const flow = new WindowFlow();
    const owner = { send: () => {}, wake: () => {} };
    const [one, other] = [flow.stream(owner), flow.stream(owner)];
    for (let i = 0; i < 500; i++) one.dataSent(1);
    for (let i = 0; i < 500; i++) one.dataReceived(1);
    expect([one.canSend, other.canSend, flow.canSend]).toEqual([false, true, true]);
    other.dataReceived(1);
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
