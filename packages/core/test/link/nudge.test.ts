// Padding where an acknowledgement would come late: when it goes out, when none does, and how much of it at the most.

import { describe, expect, it } from "vitest";
import { Nudge } from "../../src/link/nudge.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { circuit, open, RELAY, settle, someBody } from "./channel-rig.ts";
import { fixedCell } from "./scripted-relay.ts";

const CELL = 514;
const BUSY = 32 * CELL;

function bench() {
  const clock = new ManualClock();
  let sent = 0;
  const nudge = new Nudge(clock, () => {
    sent++;
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settle();
    const count = sent;
    sent = 0;
    return count;
  };
  return { clock, nudge, pass };
}

describe("a busy link that falls silent", () => {
  it("gets one cell, a millisecond after the last bytes that came", async () => {
    const { nudge, pass } = bench();
    nudge.received(BUSY, false);
    expect(await pass(0.5)).toBe(0);
    nudge.received(CELL, false);
    expect(await pass(0.9)).toBe(0);
    expect(await pass(0.1)).toBe(1);
    expect(await pass(10_000)).toBe(0);
  });

  it("gets none where something leaves, or is about to", async () => {
    const { nudge, pass, clock } = bench();
    nudge.received(BUSY, true);
    expect(await pass(100)).toBe(0);
    nudge.received(CELL, false);
    nudge.sent(CELL);
    expect(clock.pendingTimers).toBe(0);
    expect(await pass(100)).toBe(0);
  });

  it("gets none when it is closed", async () => {
    const { nudge, pass, clock } = bench();
    nudge.received(BUSY, false);
    nudge.stop();
    expect(clock.pendingTimers).toBe(0);
    expect(await pass(100)).toBe(0);
  });
});

describe("a link", () => {
  it("that is not busy gets none", async () => {
    const { nudge, pass } = bench();
    for (let i = 0; i < 31; i++) {
      nudge.received(CELL, false);
      expect(await pass(1000)).toBe(0);
    }
    nudge.received(CELL, false);
    expect(await pass(1000)).toBe(1);
  });

  it("that sends gets them as well, once an answer has come", async () => {
    const { nudge, pass } = bench();
    nudge.sent(BUSY);
    expect(await pass(1000)).toBe(0);
    nudge.received(CELL, false);
    expect(await pass(1)).toBe(1);
  });

  it("gets one for 32 cells of traffic, and eight in a row at the most, however much there was", async () => {
    const { nudge, pass } = bench();
    nudge.received(1e9, true);
    let sent = 0;
    for (let i = 0; i < 20; i++) {
      nudge.received(1, false);
      sent += await pass(1);
    }
    expect(sent).toBe(8);
    nudge.received(BUSY, true);
    for (let i = 0; i < 20; i++) {
      nudge.received(1, false);
      sent += await pass(1);
    }
    expect(sent).toBe(9);
  });
});

describe("a channel", () => {
  it("sends a PADDING cell where a busy circuit's relay falls silent, and drops nothing for it", async () => {
    const rig = await open();
    const { slot } = await circuit(rig);
    for (let i = 0; i < 40; i++) await rig.relay.send(fixedCell(slot.circuitId, RELAY, someBody));
    await settle();
    rig.writes.length = 0;
    rig.clock.advance(1);
    await settle();
    expect(rig.writes).toEqual([CELL]);
    expect(await rig.relay.readCell()).toEqual({ circuitId: 0, command: 0, body: new Uint8Array(509) });
    expect(rig.channel.isClosed).toBe(false);
  });

  it("sends none behind what the circuit has answered, nor once it is closed", async () => {
    const rig = await open();
    const { slot } = await circuit(rig);
    for (let i = 0; i < 40; i++) await rig.relay.send(fixedCell(slot.circuitId, RELAY, someBody));
    await settle();
    slot.send(3, new Uint8Array(509));
    await settle();
    rig.writes.length = 0;
    rig.clock.advance(100);
    await settle();
    expect(rig.writes).toEqual([]);
    await rig.relay.send(fixedCell(slot.circuitId, RELAY, someBody));
    await settle();
    rig.channel.close();
    rig.clock.advance(100);
    await settle();
    expect(rig.writes).toEqual([]);
  });
});
