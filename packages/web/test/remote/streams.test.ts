// The two ends of a stream of bytes: windows, pieces, copies; and what one task of a page is given.

import { ManualClock } from "@allium/core/testing";
import { describe, expect, it, vi } from "vitest";
import { FIRST_WINDOW, FULL_WINDOW, MAX_PIECE, WINDOW_POOL } from "../../src/remote/protocol.ts";
import { ByteReceiver, WindowPool } from "../../src/remote/receiver.ts";
import { ByteSender, sendAll } from "../../src/remote/sender.ts";
import { Turn } from "../../src/remote/turn.ts";
import { counted, pattern, settled } from "./rig.ts";

function sender() {
  const posted: ArrayBuffer[] = [];
  const clock = new ManualClock();
  const pause = () => clock.timer(4).fired;
  return { clock, posted, sender: new ByteSender((bytes) => posted.push(bytes), pause) };
}

const sizes = (posted: readonly ArrayBuffer[]) => posted.map((bytes) => bytes.byteLength);

describe("the sending end", () => {
  it("sends a lone small piece at once, and those that follow within 4 ms together", async () => {
    const { sender: sending, posted, clock } = sender();
    for (let i = 0; i < 5; i++) await sending.write(pattern(100), true);
    expect(sizes(posted)).toEqual([100]);
    clock.advance(4);
    await settled();
    expect(sizes(posted)).toEqual([100, 400]);
    // That was a short message again.
    await sending.write(pattern(3), true);
    clock.advance(4);
    await settled();
    clock.advance(10);
    await settled();
    await sending.write(pattern(7), true);
    expect(sizes(posted)).toEqual([100, 400, 3, 7]);
  });

  it("sends small pieces as soon as they are a long one, in their order", async () => {
    const { sender: sending, posted } = sender();
    const whole = pattern(90_000);
    for (let at = 0; at < whole.length; at += 3000) await sending.write(whole.subarray(at, at + 3000), true);
    sending.flush();
    expect(sizes(posted)).toEqual([3000, 33_000, 33_000, 21_000]);
    expect(Buffer.concat(posted.map((bytes) => new Uint8Array(bytes))).equals(whole)).toBe(true);
  });

  it("gives away a buffer that it owns and that holds nothing else, without a copy", async () => {
    const { sender: sending, posted } = sender();
    const own = pattern(40_000);
    await sending.write(own, true);
    expect(posted[0]).toBe(own.buffer);
    await sending.write(own, false);
    await sending.write(own.subarray(100), true);
    expect(posted.slice(1)).not.toContain(own.buffer);
    expect(sizes(posted)).toEqual([40_000, 40_000, 39_900]);
  });

  it("sends no piece above its limit and no byte above its credit", async () => {
    const { sender: sending, posted } = sender();
    let done = false;
    const writing = sending.write(pattern(500_000), true).then(() => {
      done = true;
    });
    await settled();
    expect(sizes(posted)).toEqual([FIRST_WINDOW]);
    sending.grant(200_000);
    await settled();
    expect(sizes(posted)).toEqual([FIRST_WINDOW, MAX_PIECE, 200_000 - MAX_PIECE]);
    expect(done).toBe(false);
    sending.grant(FULL_WINDOW);
    await writing;
    expect(Math.max(...sizes(posted))).toBeLessThanOrEqual(MAX_PIECE);
  });

  it("refuses credit above a window", () => {
    const { sender: sending } = sender();
    sending.grant(FULL_WINDOW - FIRST_WINDOW);
    expect(() => sending.grant(1)).toThrow(/credit/);
  });

  it("reads its source no further than its credit", async () => {
    const { sender: sending } = sender();
    const source = counted(10_000);
    void sendAll(source.stream.getReader(), sending, true);
    await settled();
    expect(source.bytes).toBeGreaterThanOrEqual(FIRST_WINDOW);
    expect(source.bytes).toBeLessThan(FIRST_WINDOW + 10_000);
    sending.stop();
  });

  it("sends nothing after it was stopped", async () => {
    const { sender: sending, posted, clock } = sender();
    await sending.write(pattern(10), true);
    await sending.write(pattern(10), true);
    sending.stop();
    clock.advance(100);
    await settled();
    await sending.write(pattern(100_000), true);
    sending.flush();
    expect(sizes(posted)).toEqual([10]);
  });
});

function receiver(pool = new WindowPool()) {
  const granted: number[] = [];
  const receiving = new ByteReceiver({ pool, grant: (bytes) => granted.push(bytes), cancel: () => {} });
  return { granted, receiver: receiving };
}

function bytes(length: number): ArrayBuffer {
  return new ArrayBuffer(length);
}

describe("the receiving end", () => {
  it("gives credit only for what is read, and a full window once it is", async () => {
    const { receiver: receiving, granted } = receiver();
    for (let i = 0; i < 4; i++) receiving.push(bytes(FIRST_WINDOW / 4));
    await settled();
    expect(granted).toEqual([]);
    const reader = receiving.readable.getReader();
    await reader.read();
    expect(granted).toEqual([FIRST_WINDOW / 4 + FULL_WINDOW - FIRST_WINDOW]);
    for (let i = 0; i < 3; i++) await reader.read();
    // Not for every piece: a quarter of the window together.
    expect(granted.length).toBe(1);
  });

  it("refuses more than it gave credit for, and bytes after the end", () => {
    const { receiver: receiving } = receiver();
    receiving.push(bytes(FIRST_WINDOW));
    expect(() => receiving.push(bytes(1))).toThrow(/credit/);
    const ended = receiver().receiver;
    ended.end();
    expect(() => ended.push(bytes(1))).toThrow(/after the end/);
  });

  it("lets the windows of one port grow together to its bound, and gives back what a stream had", async () => {
    const pool = new WindowPool();
    const streams = Array.from({ length: 40 }, () => receiver(pool));
    const grow = async ({ receiver: receiving }: ReturnType<typeof receiver>) => {
      const reader = receiving.readable.getReader();
      receiving.push(bytes(FIRST_WINDOW));
      await reader.read();
      reader.releaseLock();
    };
    for (const stream of streams) await grow(stream);
    const raised = streams.map(({ granted }) => (granted[0] ?? 0) - FIRST_WINDOW);
    expect(raised.reduce((a, b) => a + b, 0)).toBe(WINDOW_POOL);
    expect(raised.at(-1)).toBe(0);
    streams[0]?.receiver.end();
    streams[0]?.receiver.break();
    const next = receiver(pool);
    await grow(next);
    expect(next.granted).toEqual([FULL_WINDOW]);
  });

  it("delivers what came before a failure, but nothing after a break", async () => {
    const failed = receiver().receiver;
    failed.push(bytes(5));
    failed.end(new Error("late"));
    const reader = failed.readable.getReader();
    expect((await reader.read()).value?.length).toBe(5);
    await expect(reader.read()).rejects.toThrow("late");
    const broken = receiver().receiver;
    broken.push(bytes(5));
    broken.break(new Error("now"));
    broken.push(bytes(5));
    await expect(broken.readable.getReader().read()).rejects.toThrow("now");
  });
});

describe("a turn of the page", () => {
  it("hands over no more than 256 KiB in one task, of all streams together", async () => {
    const turn = new Turn();
    const perTask: number[] = [];
    let task = 0;
    const begin = vi.spyOn(turn, "begin").mockImplementation(function (this: Turn) {
      perTask.push(task);
      task = 0;
      Turn.prototype.begin.call(this);
    });
    const stream = async () => {
      const options = { pool: new WindowPool(), turn, grant: () => {}, cancel: () => {} };
      const receiving = new ByteReceiver(options);
      for (let i = 0; i < 8; i++) receiving.push(bytes(FIRST_WINDOW / 8));
      receiving.end();
      for await (const chunk of receiving.readable) task += chunk.length;
    };
    await Promise.all(Array.from({ length: 16 }, stream));
    perTask.push(task);
    turn.end();
    expect(begin.mock.calls.length).toBeGreaterThanOrEqual((16 * FIRST_WINDOW) / 262_144 - 1);
    expect(perTask.reduce((a, b) => a + b, 0)).toBe(16 * FIRST_WINDOW);
    expect(Math.max(...perTask)).toBeLessThanOrEqual(262_144);
  });

  it("does not wait while there is room", () => {
    const turn = new Turn();
    expect(turn.take(131_072)).toBeUndefined();
    const wait = turn.take(1);
    expect(wait).toBeInstanceOf(Promise);
    turn.begin();
    expect(turn.take(1)).toBeUndefined();
    turn.end();
  });

  it("holds nobody back after its end", async () => {
    const turn = new Turn();
    turn.take(200_000);
    const waiting = turn.take(1);
    turn.end();
    await waiting;
    expect(turn.take(1)).toBeUndefined();
    await turn.nextTask();
  });
});
