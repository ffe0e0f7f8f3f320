// XON and XOFF that a client's stream sends: when, and with which rate.

import { describe, expect, test } from "vitest";
import { CELL, Rig } from "./xon-xoff-rig.ts";

const LIMIT = 500 * 488;

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
