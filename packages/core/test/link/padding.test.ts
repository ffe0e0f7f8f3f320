// Connection-level padding (padding-spec 2): when a PADDING cell goes out, and when none does.

import { describe, expect, it } from "vitest";
import { ChannelPadding } from "../../src/link/padding.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { circuit, open, settle } from "./channel-rig.ts";
import { paddingCell } from "./scripted-relay.ts";

function bench() {
  const clock = new ManualClock();
  const sent: number[] = [];
  const padding = new ChannelPadding(clock, () => sent.push(clock.monotonic()));
  /** Lets time pass in small steps, so that every timer fires in its own time. */
  const pass = async (ms: number, step = 50) => {
    for (let left = ms; left > 0; left -= step) {
      clock.advance(step);
      await Promise.resolve();
      await Promise.resolve();
    }
  };
  return { clock, sent, padding, pass };
}

const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - (times[i] as number));

describe("a silent link", () => {
  it("is padded within the range, time after time", async () => {
    const { padding, sent, pass } = bench();
    padding.use({ low: 1500, high: 9500 });
    await pass(600_000);
    expect(sent.length).toBeGreaterThan(60);
    for (const gap of gaps(sent)) {
      expect(gap).toBeGreaterThanOrEqual(1500);
      expect(gap).toBeLessThanOrEqual(9550);
    }
  });

  it("is padded after the larger of two draws: Prob(max <= x) is x squared", async () => {
    const { padding, sent, pass } = bench();
    padding.use({ low: 0, high: 1000 });
    await pass(2_000_000, 10);
    const times = gaps(sent);
    expect(times.length).toBeGreaterThan(2000);
    const below = (x: number) => times.filter((gap) => gap <= x).length / times.length;
    expect(below(250)).toBeCloseTo(0.0625, 1);
    expect(below(500)).toBeCloseTo(0.25, 1);
    expect(below(750)).toBeCloseTo(0.5625, 1);
  });

  it("is padded at one time where the range has none between", async () => {
    const { padding, sent, pass } = bench();
    padding.use({ low: 2000, high: 2000 });
    await pass(10_000);
    expect(sent).toEqual([2000, 4000, 6000, 8000, 10_000]);
  });

  it("is left alone before it is asked for, with a range of zeros, and once it is over", async () => {
    const { padding, sent, pass, clock } = bench();
    await pass(20_000);
    padding.use({ low: 0, high: 0 });
    await pass(20_000);
    padding.use({ low: 1500, high: 9500 });
    padding.stop();
    await pass(20_000);
    expect(sent).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("takes a new range, and needs one timer whatever is asked of it", async () => {
    const { padding, sent, pass, clock } = bench();
    padding.use({ low: 1500, high: 9500 });
    padding.use({ low: 100, high: 100 });
    expect(clock.pendingTimers).toBe(1);
    await pass(20_000);
    expect(gaps(sent.slice(1)).every((gap) => gap === 100)).toBe(true);
    padding.use({ low: 0, high: 0 });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a link in use", () => {
  it("is not padded while cells go either way, and is once they stop", async () => {
    const { padding, sent, pass } = bench();
    padding.use({ low: 1500, high: 9500 });
    for (let i = 0; i < 100; i++) {
      await pass(1000);
      padding.touch();
    }
    expect(sent).toEqual([]);
    await pass(10_000);
    expect(sent.length).toBeGreaterThanOrEqual(1);
    expect(sent[0]).toBeGreaterThanOrEqual(100_000 + 1500);
  });
});

describe("a channel", () => {
  const RANGE = { low: 1000, high: 1000 };

  it("sends PADDING on circuit 0 when it is asked to pad, and drops the relay's", async () => {
    const rig = await open();
    await circuit(rig);
    rig.channel.pad(RANGE);
    rig.clock.advance(1000);
    await settle();
    expect(await rig.relay.readCell()).toEqual({ circuitId: 0, command: 0, body: new Uint8Array(509) });
    await rig.relay.send(paddingCell);
    await settle();
    expect(rig.channel.isClosed).toBe(false);
  });

  it("counts what it sends and what comes as activity", async () => {
    const rig = await open();
    const { slot } = await circuit(rig);
    rig.channel.pad(RANGE);
    rig.clock.advance(600);
    slot.send(3, new Uint8Array(509));
    await settle();
    rig.clock.advance(600);
    await settle();
    expect(await rig.relay.readCell()).toMatchObject({ command: 3 });
    await rig.relay.send(paddingCell);
    await settle();
    rig.writes.length = 0;
    rig.clock.advance(400);
    await settle();
    rig.clock.advance(500);
    await settle();
    expect(rig.writes).toEqual([]);
    rig.clock.advance(100);
    await settle();
    expect(rig.writes).toEqual([514]);
  });

  it("stops when it is closed", async () => {
    const rig = await open();
    rig.channel.pad(RANGE);
    rig.channel.close();
    rig.channel.pad(RANGE);
    rig.clock.advance(100_000);
    await settle();
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("tells the relay not to pad where the user wants less, right behind NETINFO, and nothing otherwise", async () => {
    const reduced = await open(undefined, { stopRelayPadding: true });
    const { circuitId, command, body } = await reduced.relay.readCell();
    expect([circuitId, command, ...body.subarray(0, 6)]).toEqual([0, 12, 0, 1, 0, 0, 0, 0]);
    const usual = await open();
    await settle();
    expect(usual.writes).toEqual([]);
  });

  it("neither pads nor negotiates on link protocol 4, whose relays know nothing of it", async () => {
    const rig = await open(undefined, { stopRelayPadding: true }, [3, 4]);
    expect(rig.channel.linkProtocol).toBe(4);
    rig.channel.pad(RANGE);
    rig.clock.advance(100_000);
    await settle();
    expect(rig.writes).toEqual([]);
    expect(rig.clock.pendingTimers).toBe(0);
  });
});
