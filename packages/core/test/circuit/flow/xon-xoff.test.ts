// XON and XOFF of a client's stream, both directions, and each rule that a relay may break.

import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/base/encoding.ts";
import type { StreamFlow } from "../../../src/circuit/flow/api.ts";
import { congestionParams } from "../../../src/circuit/flow/params.ts";
import { VegasFlow } from "../../../src/circuit/flow/vegas.ts";
import { RelayCommand } from "../../../src/circuit/relaycell/command.ts";
import { decodeMessage, encodeMessage, type Xon } from "../../../src/circuit/relaycell/messages.ts";
import { CoarseClock } from "./clocks.ts";

const { XOFF, XON } = RelayCommand;
const CELL = 498;
const LIMIT = 500 * 488;
const RATE = 500 * 498;
const xoff = encodeMessage({ command: XOFF });
const xon = (kbpsEwma: number) => encodeMessage({ command: XON, kbpsEwma });
const code = (rule: string) => expect.objectContaining({ code: `ALLIUM_E_CIRCUIT_${rule}` });

class Rig {
  readonly clock: CoarseClock;
  readonly flow: StreamFlow;
  /** "XOFF", or the rate of an XON. */
  readonly sent: ("XOFF" | number)[] = [];
  wakes = 0;
  buffered = 0;

  constructor(grain = 0.001, consensus: Readonly<Record<string, number>> = {}) {
    this.clock = new CoarseClock(grain);
    const params = congestionParams((name, fallback) => consensus[name] ?? fallback, "exit");
    const hop = new VegasFlow({ params, sendmeInc: 31, clock: this.clock, isBlocked: () => false });
    this.flow = hop.stream({
      send: (command, data) => {
        this.sent.push(command === XOFF ? "XOFF" : (decodeMessage(command, data) as Xon).kbpsEwma);
      },
      wake: () => this.wakes++,
    });
    // How fine the clock is, the hop learns as it sends.
    for (let cell = 0; cell < 62; cell++) {
      if (cell % 31 === 0) this.clock.advance(grain);
      hop.dataSent({ sentTag: () => new Uint8Array(20) });
    }
  }

  /** Cells come, `spacing` milliseconds apart. */
  receive(cells: number, spacing = 0): this {
    for (let i = 0; i < cells; i++) {
      this.clock.advance(spacing);
      this.buffered += CELL;
      this.flow.dataReceived(this.buffered);
    }
    return this;
  }

  read(bytes = this.buffered): this {
    const length = Math.min(bytes, this.buffered);
    this.buffered -= length;
    this.flow.consumed(Math.ceil(length / CELL), length, this.buffered);
    return this;
  }

  /** Reads all that waits at this rate, in bytes a millisecond. */
  drain(rate: number): this {
    while (this.buffered > 0) {
      this.clock.advance(65_536 / rate);
      this.read(65_536);
    }
    return this;
  }

  /** Reads `bytes` at this rate while cells come that keep the stream going. */
  readOn(rate: number, bytes: number): this {
    for (let read = 0; read < bytes; read += 65_536) {
      this.receive(Math.max(0, 400 - Math.ceil(this.buffered / CELL)));
      this.clock.advance(65_536 / rate);
      this.read(65_536);
    }
    return this;
  }

  /** Timers that are due run. */
  async wait(ms: number): Promise<this> {
    this.clock.advance(ms);
    for (let i = 0; i < 5; i++) await Promise.resolve();
    return this;
  }
}

describe("receiving: XOFF", () => {
  test("is sent when more than 500 cells' worth waits for more than 5 ms", () => {
    const rig = new Rig().receive(489);
    expect(rig.buffered).toBeLessThanOrEqual(LIMIT);
    rig.clock.advance(1000);
    rig.receive(1).clock.advance(5);
    rig.receive(1);
    expect(rig.sent).toEqual([]);
    rig.clock.advance(0.01);
    rig.receive(1);
    expect(rig.sent).toEqual(["XOFF"]);
    rig.receive(1000, 1);
    expect(rig.sent).toEqual(["XOFF"]);
  });

  test("is not sent to an application that catches up in the meantime, whichever way", () => {
    const rig = new Rig();
    for (let i = 0; i < 50; i++) {
      rig.receive(600, 0.005).clock.advance(4);
      rig.read();
    }
    expect(rig.sent).toEqual([]);
    // Some more at once than fit, and the first of it read: below the limit counts as caught up.
    for (let i = 0; i < 50; i++) {
      rig.receive(30, 0.1).read(30 * CELL);
      rig.receive(500 - rig.buffered / CELL).read(20 * CELL);
    }
    expect(rig.sent).toEqual([]);
  });

  test.each([16, 100])("needs more than one step of a clock of %d ms", (grain) => {
    const rig = new Rig(grain);
    rig.clock.advance(grain - 0.05);
    rig.receive(490);
    // Cells of one burst, with a step of the clock in their midst.
    rig.receive(100, 0.001);
    expect(rig.sent).toEqual([]);
    rig.clock.advance(2 * grain);
    rig.receive(1);
    expect(rig.sent).toEqual(["XOFF"]);
  });

  test("says nothing about a stream that is over", () => {
    const rig = new Rig();
    rig.flow.stop();
    rig.receive(2000, 1).read();
    expect(rig.sent).toEqual([]);
    const off = new Rig().receive(490).receive(20, 1);
    expect(off.sent.splice(0)).toEqual(["XOFF"]);
    off.flow.stop();
    off.read();
    expect(off.sent).toEqual([]);
  });

  test("is sent at the consensus's number of cells", () => {
    const rig = new Rig(0.001, { cc_xoff_client: 10, cc_xoff_exit: 400 }).receive(10, 6);
    expect(rig.sent).toEqual([]);
    rig.receive(1, 6);
    expect(rig.sent).toEqual(["XOFF"]);
  });
});

describe("receiving: XON", () => {
  const stuck = (grain?: number) => {
    const rig = new Rig(grain).receive(490).receive(500, 1);
    expect(rig.sent.splice(0)).toEqual(["XOFF"]);
    return rig;
  };

  test("is sent when nothing waits any more, with the rate at which the application read", () => {
    const rig = stuck().receive(3000).drain(400);
    expect(rig.sent).toHaveLength(1);
    expect(rig.sent[0]).toBeGreaterThan(396);
    expect(rig.sent[0]).toBeLessThanOrEqual(400);
  });

  test("counts the time in which the application did not read", () => {
    // 500 ms, in which nearly all came that is then read at once.
    const rig = stuck().read(300_000).read();
    expect(rig.sent).toHaveLength(1);
    expect(rig.sent[0]).toBeGreaterThan(500);
    expect(rig.sent[0]).toBeLessThan(700);
  });

  test("is not sent while something waits", () => {
    const rig = stuck();
    rig.clock.advance(10);
    rig.read(rig.buffered - 1);
    expect(rig.sent).toEqual([]);
    rig.read(1);
    expect(rig.sent).toHaveLength(1);
  });

  test("lets another XOFF follow", () => {
    const rig = stuck().drain(1000);
    rig.sent.length = 0;
    rig.receive(490).receive(20, 1);
    expect(rig.sent).toEqual(["XOFF"]);
  });

  test.each([
    ["too little was read to tell", (rig: Rig) => rig.read()],
    [
      "the page was frozen",
      (rig: Rig) => {
        rig.clock.advance(60_000);
        rig.receive(400).read(400_000).read();
      },
    ],
    [
      "the wall clock says that the clock stood still",
      (rig: Rig) => {
        rig.clock.stop();
        rig.clock.advance(1000);
        rig.clock.resume();
        rig.clock.advance(1);
        rig.receive(400).read(400_000).read();
      },
    ],
  ])("tells no rate where %s", (_name, read) => {
    const rig = new Rig().receive(490).receive(6, 1);
    expect(rig.sent.splice(0)).toEqual(["XOFF"]);
    read(rig);
    expect(rig.sent).toEqual([0]);
  });

  test.each([
    [16, 60],
    [16, 500],
    [16, 4000],
    [100, 60],
    [100, 500],
    [100, 1000],
  ])("with a clock of %d ms tells a rate of %d kB/s within a quarter", (grain, rate) => {
    const rig = stuck(grain).receive(10_000).drain(rate);
    expect(rig.sent).toHaveLength(1);
    expect(rig.sent[0]).toBeGreaterThan(0.8 * rate);
    expect(rig.sent[0]).toBeLessThan(1.25 * rate);
  });

  test.each([16, 100])("with a clock of %d ms tells none of what took only some steps of it", (grain) => {
    const rig = new Rig(grain).receive(490).receive(6 * grain, 0.5);
    expect(rig.sent.splice(0)).toEqual(["XOFF"]);
    rig.drain(20_000);
    expect(rig.sent).toEqual([0]);
  });

  /** One that told a rate of about 400 kB/s. */
  const told = () => {
    const rig = stuck().receive(3000).drain(400);
    rig.sent.length = 0;
    return rig;
  };

  test("is sent again when the rate changed by a quarter, and not for less", () => {
    const rig = told();
    for (const rate of [480, 330, 480, 330]) rig.readOn(rate, 300_000);
    expect(rig.sent).toEqual([]);
    rig.readOn(700, 1_000_000);
    expect(rig.sent.length).toBeGreaterThanOrEqual(1);
    expect(rig.sent.at(-1)).toBeGreaterThan(500);
    rig.sent.length = 0;
    rig.readOn(200, 1_000_000);
    expect(rig.sent.length).toBeGreaterThanOrEqual(1);
    expect(rig.sent.at(-1)).toBeLessThan(300);
  });

  test("tells no rate of before the XOFF", () => {
    const rig = told().receive(490).receive(6, 1);
    expect(rig.sent.splice(0)).toEqual(["XOFF"]);
    rig.read();
    expect(rig.sent).toEqual([0]);
  });

  test("doubles the rate for an application that keeps up, and tells that", () => {
    const rig = told();
    for (let i = 0; i < 3 * 500; i++) rig.receive(1).read();
    expect(rig.sent.length).toBeGreaterThanOrEqual(2);
    expect(rig.sent[1]).toBe(2 * (rig.sent[0] as number));
  });

  test("takes bursts of cells that are read at once for keeping up, too", () => {
    const rig = told();
    const first = 400;
    // As an exit sends that refills its bucket ten times a second: more at once than one of C tor's reads brings.
    for (let i = 0; i < 60; i++) {
      rig.clock.advance(100);
      rig.receive(80).read();
    }
    expect(rig.sent.length).toBeGreaterThanOrEqual(4);
    expect(rig.sent.at(-1)).toBeGreaterThan(8 * first);
  });

  test("does not take them for that where they wait", () => {
    const rig = told();
    for (let i = 0; i < 60; i++) {
      rig.receive(80).clock.advance(100);
      rig.read();
    }
    expect(rig.sent.length).toBeLessThanOrEqual(1);
    expect(rig.sent.at(-1) ?? 400).toBeLessThan(800);
  });

  test("is never sent before an XOFF", () => {
    const rig = new Rig();
    for (let i = 0; i < 20; i++) rig.receive(400, 0.1).drain(i % 2 === 0 ? 100 : 10_000);
    expect(rig.sent).toEqual([]);
  });
});

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
