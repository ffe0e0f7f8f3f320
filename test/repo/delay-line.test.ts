// The private network's slow path, by a clock of the test's own: when bytes leave, and when the feeder has to wait.

import { beforeEach, describe, expect, it } from "vitest";
import { DelayLine, type LineClock, seeded } from "../tornet/servers/delay-line.ts";
import { inodeOf, procAddress } from "../tornet/servers/socket-owner.ts";
import type { SlowPath } from "../tornet/types.ts";

/** Time goes on by `run`; it counts the timers that were asked for. */
class TestClock implements LineClock {
  time = 1000;
  timers = 0;
  #wakes: { time: number; wake: () => void }[] = [];

  now(): number {
    return this.time;
  }

  at(time: number, wake: () => void) {
    this.timers++;
    const entry = { time, wake };
    this.#wakes.push(entry);
    return { cancel: () => void this.#wakes.splice(this.#wakes.indexOf(entry), 1) };
  }

  run(until: number): void {
    for (;;) {
      const next = this.#wakes.filter(({ time }) => time <= until).sort((a, b) => a.time - b.time)[0];
      if (next === undefined) break;
      this.#wakes.splice(this.#wakes.indexOf(next), 1);
      this.time = Math.max(this.time, next.time);
      next.wake();
    }
    this.time = Math.max(this.time, until);
  }
}

let clock: TestClock;
/** When how many bytes left, from the first millisecond on; "end" for the end. */
let left: (readonly [ms: number, what: number | "end"])[];
let accepts: boolean;
let rooms: number;

beforeEach(() => {
  clock = new TestClock();
  left = [];
  accepts = true;
  rooms = 0;
});

function line(path: SlowPath | (() => SlowPath), opensAfter = 0): DelayLine {
  return new DelayLine({
    path: typeof path === "function" ? path : () => path,
    clock,
    sink: {
      write(bytes) {
        left.push([clock.time - 1000, bytes.length]);
        return accepts;
      },
      end: () => left.push([clock.time - 1000, "end"]),
    },
    onRoom: () => rooms++,
    opensAfter,
  });
}

const bytes = (length: number) => new Uint8Array(length);
const total = () => left.reduce((sum, [, what]) => sum + (what === "end" ? 0 : what), 0);

describe("a delay line", () => {
  it("lets bytes leave exactly the delay after they came, each by its own time", () => {
    const slow = line({ delayMs: 50 });
    slow.push(bytes(10));
    clock.run(1007);
    slow.push(bytes(20));
    slow.end();
    clock.run(1049);
    expect(left).toEqual([]);
    clock.run(1200);
    expect(left).toEqual([
      [50, 10],
      [57, 20],
      [57, "end"],
    ]);
  });

  it("does not delay at all where there is no delay, and asks for no timer", () => {
    const direct = line({ delayMs: 0 });
    direct.push(bytes(3));
    direct.end();
    expect(left).toEqual([
      [0, 3],
      [0, "end"],
    ]);
    expect(clock.timers).toBe(0);
  });

  it("is as fast with a long delay as with none, with one timer at a time", () => {
    const slow = line({ delayMs: 150 });
    // 64 KB a millisecond for a second, with 9.6 MB on the way.
    for (let ms = 0; ms < 1000; ms++) {
      expect(slow.push(bytes(64_000))).toBe(true);
      clock.run(1000 + ms + 1);
    }
    clock.run(3000);
    expect(total()).toBe(64_000_000);
    expect(left.every(([ms], i) => ms === i + 150)).toBe(true);
    expect(clock.timers).toBeLessThanOrEqual(1000);
  });

  it("wants no more than it may hold, and says when it has room again", () => {
    const slow = line({ delayMs: 100 });
    let pushed = 0;
    while (slow.push(bytes(65_536))) pushed++;
    expect(pushed).toBe(256);
    expect(rooms).toBe(0);
    clock.run(1100);
    expect(rooms).toBe(1);
    expect(slow.held).toBe(0);
  });

  it("holds what the other side does not take", () => {
    const slow = line({ delayMs: 10 });
    accepts = false;
    slow.push(bytes(1));
    slow.push(bytes(2));
    clock.run(1500);
    expect(left).toEqual([[10, 1]]);
    accepts = true;
    slow.drained();
    expect(left).toEqual([
      [10, 1],
      [500, 2],
    ]);
  });

  it("sends nothing before the connection stands", () => {
    const slow = line({ delayMs: 50 }, 100);
    slow.push(bytes(1));
    clock.run(2000);
    expect(left).toEqual([[150, 1]]);
  });

  it("lets no more through than the rate, a piece at a time", () => {
    const slow = line({ delayMs: 20, bytesPerSecond: 1_000_000 });
    slow.push(bytes(100_000));
    clock.run(5000);
    expect(total()).toBe(100_000);
    expect(left[0]?.[0]).toBeCloseTo(24, 3);
    expect(left.at(-1)?.[0]).toBeCloseTo(120, 3);
    // A rate that has waited saves nothing up.
    slow.push(bytes(4000));
    clock.run(6000);
    expect(left.at(-1)?.[0]).toBeCloseTo(4000 + 24, 3);
  });

  it("bounds what waits at the rate, so that the queue is no second delay", () => {
    const slow = line({ delayMs: 100, bytesPerSecond: 1_000_000 });
    expect(slow.push(bytes(340_000))).toBe(true);
    expect(slow.push(bytes(20_000))).toBe(false);
  });

  it("follows a path that changes, without a byte overtaking another", () => {
    let path: SlowPath = { delayMs: 150 };
    const changing = line(() => path);
    changing.push(bytes(1));
    path = { delayMs: 5 };
    changing.push(bytes(2));
    clock.run(1200);
    changing.push(bytes(3));
    clock.run(1300);
    expect(left).toEqual([
      [150, 1],
      [150, 2],
      [205, 3],
    ]);
  });

  it("is silent once destroyed", () => {
    const slow = line({ delayMs: 5 });
    slow.push(bytes(1));
    slow.destroy();
    clock.run(2000);
    expect(left).toEqual([]);
  });
});

describe("stalls", () => {
  const stalls = { seed: 7, everyBytes: 100_000, holdMs: 300 };

  /** Times at which the bytes of one stream leave, a thousand a millisecond. */
  function run(path: SlowPath, chunk: number): typeof left {
    left = [];
    clock = new TestClock();
    const slow = line(path);
    for (let at = 0; at < 1_000_000; at += chunk) {
      clock.run(1000 + at / 1000);
      slow.push(bytes(chunk));
    }
    clock.run(100_000);
    return left;
  }

  it("hold what follows a lost byte, and lose nothing", () => {
    const pieces = run({ delayMs: 10, stalls }, 1000);
    expect(total()).toBe(1_000_000);
    let at = 0;
    let lastLost = 0;
    for (const [ms, what] of pieces) {
      const came = Math.floor(at / 1000);
      const onTime = Math.max(came + 10, lastLost);
      if (what === 1) lastLost = Math.max(onTime, came + 310);
      expect(ms).toBe(what === 1 ? lastLost : onTime);
      at += Number(what);
    }
    expect(lastLost).toBeGreaterThan(310);
  });

  it("come at the same bytes for the same seed, however the bytes are cut", () => {
    const positions = (chunk: number) => {
      let at = 0;
      return run({ delayMs: 10, stalls }, chunk).flatMap(([, what]) => {
        at += what === "end" ? 0 : what;
        return what === 1 ? [at] : [];
      });
    };
    const found = positions(1000);
    expect(found.length).toBeGreaterThan(4);
    expect(found.length).toBeLessThan(25);
    expect(positions(40_000)).toEqual(found);
  });

  it("give other places for another seed", () => {
    const [a, b] = [seeded(1), seeded(2)];
    const first = Array.from({ length: 8 }, a);
    expect(first).not.toEqual(Array.from({ length: 8 }, b));
    expect(first).toEqual(Array.from({ length: 8 }, seeded(1)));
    for (const value of first) expect(value >= 0 && value < 1).toBe(true);
  });
});

describe("the owner of a socket", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:8DC8 0100377F:2329 01 00000000:00000000 00:00000000 00000000     0        0 65917 1 0",
    "   1: 0100377F:2329 0100007F:8DC8 01 00000000:00000000 00:00000000 00000000     0        0 65918 1 0",
  ].join("\n");

  it("is found by both addresses in the kernel's table", () => {
    expect(procAddress("127.0.0.1", 36296)).toBe("0100007F:8DC8");
    expect(procAddress("127.55.0.1", 9001)).toBe("0100377F:2329");
    expect(inodeOf(table, "0100007F:8DC8", "0100377F:2329")).toBe("65917");
    expect(inodeOf(table, "0100377F:2329", "0100007F:8DC8")).toBe("65918");
    expect(inodeOf(table, "0100007F:8DC8", "0100377F:0001")).toBeUndefined();
  });
});
