// XON and XOFF that a client's stream receives, and each rule that a relay may break.

import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/base/encoding.ts";
import { RelayCommand } from "../../../src/circuit/relaycell/command.ts";
import { decodeMessage, encodeMessage } from "../../../src/circuit/relaycell/messages.ts";
import { CELL, Rig } from "./xon-xoff-rig.ts";

const { XOFF, XON } = RelayCommand;
const LIMIT = 500 * 488;
const RATE = 500 * 498;
const xoff = encodeMessage({ command: XOFF });
const xon = (kbpsEwma: number) => encodeMessage({ command: XON, kbpsEwma });
const code = (rule: string) => expect.objectContaining({ code: `ALLIUM_E_CIRCUIT_${rule}` });

describe("sending", () => {
  /** A stream on which 1 MB was sent. */
  const busy = (grain?: number) => {
    const rig = new Rig(grain);
    for (let i = 0; i < 2000; i++) rig.flow.dataSent(CELL);
    return rig;
  };

  test("XOFF stops and XON resumes", () => {
    const rig = busy();
    expect(rig.flow.canSend).toBe(true);
    rig.flow.xoffReceived(xoff);
    expect(rig.flow.canSend).toBe(false);
    expect(rig.wakes).toBe(0);
    rig.flow.xonReceived(xon(0));
    expect(rig.flow.canSend).toBe(true);
    expect(rig.wakes).toBe(1);
  });

  test("an XON that changes nothing wakes nobody", () => {
    const rig = busy();
    rig.flow.xonReceived(xon(0));
    expect(rig.wakes).toBe(0);
  });

  test("its rate holds: one second's worth at once, then as it comes in", async () => {
    const rig = busy();
    rig.flow.xoffReceived(xoff);
    rig.flow.xonReceived(xon(100));
    const sendAll = () => {
      let bytes = 0;
      for (; rig.flow.canSend; bytes += CELL) rig.flow.dataSent(CELL);
      return bytes;
    };
    expect(Math.abs(sendAll() - 100_000)).toBeLessThan(CELL);
    let bytes = 0;
    for (let i = 0; i < 100; i++) {
      await rig.wait(50);
      bytes += sendAll();
    }
    expect(Math.abs(bytes - 500_000)).toBeLessThan(10_000 + CELL);
    expect(rig.wakes).toBe(1 + 50);
    await rig.wait(60_000);
    expect(Math.abs(sendAll() - 100_000)).toBeLessThan(2 * CELL);
  });

  test.each([1, 16, 100])("its rate holds with a clock of %d ms", async (grain) => {
    const rig = busy(grain);
    rig.flow.xonReceived(xon(100));
    let bytes = 0;
    for (let i = 0; i < 1000; i++) {
      for (; rig.flow.canSend; bytes += CELL) rig.flow.dataSent(CELL);
      await rig.wait(10);
    }
    expect(bytes).toBeGreaterThan(0.95 * 1_000_000);
    expect(bytes).toBeLessThan(1.05 * 1_100_000);
  });

  test("a clock that stands still does not stop the stream for good", async () => {
    const rig = busy();
    rig.flow.xonReceived(xon(1000));
    while (rig.flow.canSend) rig.flow.dataSent(CELL);
    rig.clock.stop();
    await rig.wait(100);
    expect(rig.flow.canSend).toBe(true);
    expect(rig.wakes).toBe(1);
  });

  test.each([0, 2_147_484, 0xffffffff])("a rate of %d is no limit", (rate) => {
    const rig = busy();
    rig.flow.xonReceived(xon(10));
    while (rig.flow.canSend) rig.flow.dataSent(CELL);
    expect(rig.clock.pendingTimers).toBe(1);
    rig.flow.xonReceived(xon(rate));
    expect(rig.wakes).toBe(1);
    expect(rig.clock.pendingTimers).toBe(0);
    for (let i = 0; i < 20_000; i++) rig.flow.dataSent(CELL);
    expect(rig.flow.canSend).toBe(true);
  });

  test("a lower rate holds at once, a higher one as it comes in", async () => {
    const rig = busy();
    rig.flow.xonReceived(xon(100));
    rig.flow.xonReceived(xon(10));
    let cells = 0;
    for (; rig.flow.canSend; cells++) rig.flow.dataSent(CELL);
    expect(cells).toBe(21);
    rig.flow.dataSent(100_000);
    rig.flow.xonReceived(xon(1000));
    expect(rig.flow.canSend).toBe(false);
    await rig.wait(100);
    expect(rig.flow.canSend).toBe(false);
    await rig.wait(100);
    expect(rig.flow.canSend).toBe(true);
  });

  test("XOFF outlasts the refill", async () => {
    const rig = busy();
    rig.flow.xonReceived(xon(100));
    while (rig.flow.canSend) rig.flow.dataSent(CELL);
    rig.flow.xoffReceived(xoff);
    await rig.wait(1000);
    expect(rig.flow.canSend).toBe(false);
    expect(rig.wakes).toBe(0);
    rig.flow.xonReceived(xon(100));
    expect(rig.wakes).toBe(1);
  });

  test("no timer outlives the stream, and what comes late starts none", async () => {
    const rig = busy();
    rig.flow.xonReceived(xon(10));
    while (rig.flow.canSend) rig.flow.dataSent(CELL);
    expect(rig.clock.pendingTimers).toBe(1);
    rig.flow.stop();
    expect(rig.clock.pendingTimers).toBe(0);
    rig.flow.xoffReceived(xoff);
    rig.flow.xonReceived(xon(1));
    expect(rig.clock.pendingTimers).toBe(0);
    await rig.wait(10_000);
    expect(rig.wakes).toBe(0);
  });

  test("neither does an XON that is late", () => {
    const rig = busy();
    rig.flow.stop();
    rig.flow.xoffReceived(xoff);
    rig.flow.xonReceived(xon(0));
    expect(rig.flow.canSend).toBe(true);
    expect(rig.wakes).toBe(0);
  });

  test("a timer that fired as an XON came does not wake once more", async () => {
    const rig = busy();
    rig.flow.xonReceived(xon(1000));
    while (rig.flow.canSend) rig.flow.dataSent(CELL);
    rig.clock.advance(100);
    rig.flow.xonReceived(xon(0));
    await rig.wait(0);
    expect(rig.wakes).toBe(1);
  });

  test("a new rate is none for the time before it", () => {
    const rig = busy();
    rig.flow.xonReceived(xon(100));
    rig.flow.dataSent(50_000);
    rig.clock.advance(10_000);
    rig.flow.xonReceived(xon(1000));
    let bytes = 0;
    for (; rig.flow.canSend; bytes += CELL) rig.flow.dataSent(CELL);
    expect(Math.abs(bytes - 100_000)).toBeLessThan(CELL);
  });

  test("a timer that fired as the stream ended wakes nobody", async () => {
    const rig = busy();
    rig.flow.xonReceived(xon(1000));
    while (rig.flow.canSend) rig.flow.dataSent(CELL);
    rig.clock.advance(100);
    rig.flow.stop();
    await rig.wait(0);
    expect(rig.wakes).toBe(0);
  });
});

describe("violations", () => {
  test("a SENDME of a stream", () => {
    const { flow } = new Rig();
    flow.dataSent(100_000);
    expect(() => flow.sendmeReceived()).toThrow(code("SENDME"));
  });

  test("XOFF and XON before data", () => {
    expect(() => new Rig().flow.xoffReceived(xoff)).toThrow(code("XOFF"));
    expect(() => new Rig().flow.xonReceived(xon(0))).toThrow(code("XON"));
  });

  test("XOFF before half of what an exit lets wait", () => {
    const { flow } = new Rig();
    flow.dataSent(LIMIT / 2 - 1);
    expect(() => flow.xoffReceived(xoff)).toThrow(code("XOFF"));
  });

  test("a second XOFF", () => {
    const { flow } = new Rig();
    flow.dataSent(10 * LIMIT);
    flow.xoffReceived(xoff);
    expect(() => flow.xoffReceived(xoff)).toThrow(code("XOFF"));
  });

  test("an advisory XON before half of cc_xon_rate", () => {
    const { flow } = new Rig();
    flow.dataSent(RATE / 2 - 1);
    expect(() => flow.xonReceived(xon(0))).toThrow(code("XON"));
  });

  test("on a stream that is over, too", () => {
    const { flow } = new Rig();
    flow.stop();
    expect(() => flow.xoffReceived(xoff)).toThrow(code("XOFF"));
    expect(() => flow.xonReceived(xon(0))).toThrow(code("XON"));
    expect(() => flow.sendmeReceived()).toThrow(code("SENDME"));
  });

  test.each(["", "01", "0100000000", "00", "000000"])("XON %s", (hex) => {
    const { flow } = new Rig();
    flow.dataSent(10 * LIMIT);
    expect(() => flow.xonReceived(Uint8Array.from(Buffer.from(hex, "hex")))).toThrow(code("MALFORMED"));
  });

  test.each(["", "01", "ff00"])("XOFF %s", (hex) => {
    const { flow } = new Rig();
    flow.dataSent(10 * LIMIT);
    expect(() => flow.xoffReceived(Uint8Array.from(Buffer.from(hex, "hex")))).toThrow(code("MALFORMED"));
  });
});

test("the messages", () => {
  expect(toHex(xoff)).toBe("00");
  expect(decodeMessage(XOFF, xoff)).toEqual({ command: XOFF });
  expect(toHex(xon(0x01020304))).toBe("0001020304");
  expect(decodeMessage(XON, xon(0xffffffff))).toEqual({ command: XON, kbpsEwma: 0xffffffff });
  expect([XOFF, XON]).toEqual([43, 44]);
});
