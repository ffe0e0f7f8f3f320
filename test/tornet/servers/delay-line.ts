// One direction of a slow path: bytes leave a fixed time after they came, in order. It is a pipeline: however long the delay,
// what comes at 50 MB/s leaves at 50 MB/s. One timer at a time, for the first bytes in line; the line's length is bounded, and
// whoever feeds it is told to pause. Not here: sockets and the real clock.

import type { SlowPath, Stalls } from "../types.ts";

export interface LineClock {
  /** Milliseconds from an arbitrary start; never goes back. */
  now(): number;
  /** Calls `wake` once, not before `time`. */
  at(time: number, wake: () => void): { cancel(): void };
}

export interface LineSink {
  /** Takes the bytes; false when no more are wanted until `drained` is called. */
  write(bytes: Uint8Array): boolean;
  end(): void;
}

/** What a line without a rate may hold: at 300 ms of delay this lets 50 MB/s through. */
const MAX_HELD = 16 * 1024 * 1024;
/** A line with a rate holds, beside what is on its way, what a router's queue would: so many milliseconds' worth. */
const QUEUE_MS = 250;
const MIN_QUEUE = 128 * 1024;
/** With a rate, bytes leave in pieces of so many milliseconds. */
const PIECE_MS = 4;
const MIN_PIECE = 1500;

interface Waiting {
  readonly bytes: Uint8Array | undefined;
  readonly due: number;
}

export class DelayLine {
  readonly #path: () => SlowPath;
  readonly #clock: LineClock;
  readonly #sink: LineSink;
  readonly #onRoom: () => void;
  /** Nothing is on its way before the connection stands. */
  readonly #opensAt: number;
  #line: Waiting[] = [];
  #head = 0;
  #held = 0;
  #lastDue = 0;
  /** When the last byte so far has passed the bottleneck. */
  #free = 0;
  #losses: Losses | undefined;
  #timer: { cancel(): void } | undefined;
  #isBlocked = false;
  #isFull = false;
  #isOver = false;

  /**
   * @param path asked at each arrival, so that it may change
   * @param onRoom called when a line that was full takes bytes again
   * @param opensAfter milliseconds from now before which nothing is on its way
   */
  constructor(options: {
    path: () => SlowPath;
    clock: LineClock;
    sink: LineSink;
    onRoom: () => void;
    opensAfter?: number;
  }) {
    this.#path = options.path;
    this.#clock = options.clock;
    this.#sink = options.sink;
    this.#onRoom = options.onRoom;
    this.#opensAt = options.clock.now() + (options.opensAfter ?? 0);
  }

  /** Bytes in the line. */
  get held(): number {
    return this.#held;
  }

  /** Takes the bytes in any case; false when it wants no more until `onRoom`. */
  push(bytes: Uint8Array): boolean {
    if (this.#isOver) return true;
    const path = this.#path();
    const arrived = Math.max(this.#clock.now(), this.#opensAt);
    this.#plan(path);
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(bytes.length - at, pieceOf(path), this.#losses?.untilNext ?? Infinity);
      const isLost = this.#losses?.passed(length) === true;
      const due = this.#passBottleneck(path, arrived, length) + path.delayMs;
      const whole = isLost ? length - 1 : length;
      if (whole > 0) this.#enter(bytes.subarray(at, at + whole), due);
      at += length;
      // A byte that was lost comes again, and what follows waits for it.
      if (isLost) this.#enter(bytes.subarray(at - 1, at), due + (path.stalls?.holdMs ?? 0));
    }
    this.#release();
    this.#isFull = this.#held > limitOf(path);
    return !this.#isFull;
  }

  /** The feeder has ended; so does the sink once all has left. */
  end(): void {
    if (this.#isOver) return;
    const arrived = Math.max(this.#clock.now(), this.#opensAt);
    this.#enter(undefined, arrived + this.#path().delayMs);
    this.#release();
  }

  /** The sink takes bytes again. */
  drained(): void {
    this.#isBlocked = false;
    this.#release();
  }

  destroy(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#line = [];
    this.#head = 0;
    this.#held = 0;
  }

  #plan({ stalls }: SlowPath): void {
    if (stalls === undefined) this.#losses = undefined;
    else if (this.#losses?.stalls !== stalls) this.#losses = new Losses(stalls);
  }

  /** When bytes that arrive now have passed the place that lets only so many through. */
  #passBottleneck({ bytesPerSecond: rate }: SlowPath, arrived: number, length: number): number {
    if (rate === undefined) return arrived;
    this.#free = Math.max(this.#free, arrived) + (length * 1000) / rate;
    return this.#free;
  }

  /** Nothing overtakes what came before it. */
  #enter(bytes: Uint8Array | undefined, due: number): void {
    this.#lastDue = Math.max(this.#lastDue, due);
    this.#line.push({ bytes, due: this.#lastDue });
    this.#held += bytes?.length ?? 0;
  }

  #release(): void {
    const now = this.#clock.now();
    for (;;) {
      const first = this.#line[this.#head];
      if (first === undefined || this.#isBlocked) break;
      if (first.due > now) {
        this.#wakeAt(first.due);
        break;
      }
      this.#take();
      if (first.bytes === undefined) this.#sink.end();
      else this.#isBlocked = !this.#sink.write(first.bytes);
    }
    if (this.#isFull && this.#held <= limitOf(this.#path()) / 2) {
      this.#isFull = false;
      this.#onRoom();
    }
  }

  #take(): void {
    this.#held -= this.#line[this.#head]?.bytes?.length ?? 0;
    this.#head++;
    if (this.#head === this.#line.length) this.#line.length = this.#head = 0;
    else if (this.#head > 1024 && this.#head * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#head);
      this.#head = 0;
    }
  }

  #wakeAt(time: number): void {
    this.#timer ??= this.#clock.at(time, () => {
      this.#timer = undefined;
      this.#release();
    });
  }
}

function limitOf({ bytesPerSecond: rate, delayMs }: SlowPath): number {
  if (rate === undefined) return MAX_HELD;
  const queue = Math.max(MIN_QUEUE, (rate * QUEUE_MS) / 1000);
  return Math.min(MAX_HELD, (rate * delayMs) / 1000 + queue);
}

/** With a rate, bytes pass in pieces of a few milliseconds, so that they do not come out in lumps. */
function pieceOf({ bytesPerSecond: rate }: SlowPath): number {
  return rate === undefined ? Infinity : Math.max(MIN_PIECE, Math.floor((rate * PIECE_MS) / 1000));
}

/** Where in the stream of bytes one is lost: places that the seed gives, exponentially apart. */
class Losses {
  readonly stalls: Stalls;
  readonly #random: () => number;
  #untilNext: number;

  constructor(stalls: Stalls) {
    this.stalls = stalls;
    this.#random = seeded(stalls.seed);
    this.#untilNext = this.#interval();
  }

  /** Bytes up to and with the next that is lost. */
  get untilNext(): number {
    return this.#untilNext;
  }

  /** So many have passed, at most `untilNext`; whether the last of them was lost. */
  passed(length: number): boolean {
    this.#untilNext -= length;
    if (this.#untilNext > 0) return false;
    this.#untilNext = this.#interval();
    return true;
  }

  #interval(): number {
    return Math.max(1, Math.round(-Math.log(1 - this.#random()) * this.stalls.everyBytes));
  }
}

/** Mulberry32: numbers in [0, 1) that the seed fixes. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
