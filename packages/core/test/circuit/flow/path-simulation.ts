// A path in virtual time: one bottleneck with a queue, a fixed delay, an exit that acknowledges, and a page with a clock as
// coarse, frozen or stopped as the test wants it.

import type { Clock, Timer } from "../../../src/base/ports.ts";
import { congestionParams } from "../../../src/circuit/flow/params.ts";
import { VegasFlow } from "../../../src/circuit/flow/vegas.ts";
import { RelayCommand } from "../../../src/circuit/relaycell/command.ts";
import { encodeMessage } from "../../../src/circuit/relaycell/messages.ts";

const SENDME_INC = 31;

/** An interval of true time, in milliseconds. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

export interface PageOptions {
  /** Milliseconds of one step of the monotonic clock; the wall clock's are of 1 ms or as long. */
  readonly grain?: number;
  /** The page does nothing. */
  readonly frozen?: readonly Interval[];
  /** The monotonic clock does not advance, and lags ever after. */
  readonly stopped?: readonly Interval[];
  /** Milliseconds by which the monotonic clock jumps ahead at `from`. */
  readonly jump?: { readonly at: number; readonly ms: number };
  /** When the page has data to send; always by default. */
  readonly busy?: (time: number) => boolean;
}

export interface PathOptions {
  /** Cells a millisecond: 2 are 1 MB/s. */
  readonly rate: number;
  /** Milliseconds there and back without queues. */
  readonly delay: number;
  /** Most milliseconds that a SENDME is late by chance. */
  readonly jitter?: number;
}

class PageClock implements Clock {
  readonly #options: PageOptions;
  time = 0;

  constructor(options: PageOptions) {
    this.#options = options;
  }

  now(): number {
    const grain = Math.max(1, this.#options.grain ?? 0);
    return Math.floor((1_700_000_000_000 + this.time) / grain) * grain;
  }

  monotonic(): number {
    const { grain = 0.005, stopped = [], jump } = this.#options;
    let lag = 0;
    for (const { from, to } of stopped) lag += Math.max(0, Math.min(this.time, to) - from);
    const ahead = jump !== undefined && this.time >= jump.at ? jump.ms : 0;
    return Math.floor((this.time - lag + ahead) / grain) * grain;
  }

  timer(): Timer {
    throw new Error("no timers here");
  }
}

/** What a page saw and did, in the order of true time. */
export interface Sample {
  readonly time: number;
  readonly cwnd: number;
  readonly inflight: number;
  /** Milliseconds that the cell sent now waits in the queue. */
  readonly queue: number;
}

class Page {
  readonly clock: PageClock;
  readonly flow: VegasFlow;
  readonly options: PageOptions;
  readonly samples: Sample[] = [];
  /** Times at which each 31 cells left the bottleneck. */
  readonly delivered: number[] = [];
  #sent = 0;

  constructor(options: PageOptions, params: Readonly<Record<string, number>>) {
    this.options = options;
    this.clock = new PageClock(options);
    this.flow = new VegasFlow({
      params: congestionParams((name, fallback) => params[name] ?? fallback, "exit"),
      sendmeInc: SENDME_INC,
      clock: this.clock,
      isBlocked: () => false,
    });
  }

  /** Sends a cell; returns its tag when a SENDME will answer it. */
  send(): Uint8Array | undefined {
    let tag: Uint8Array | undefined;
    this.#sent++;
    const sentTag = () => {
      tag = new Uint8Array(20);
      new DataView(tag.buffer).setUint32(0, this.#sent);
      return tag;
    };
    this.flow.dataSent({ sentTag });
    return tag;
  }

  /** When something that happens at `time` reaches a page that may be frozen. */
  awake(time: number): number {
    return (this.options.frozen ?? []).reduce((t, { from, to }) => (t >= from && t < to ? to : t), time);
  }
}

interface Arrival {
  readonly time: number;
  readonly page: number;
  /** The SENDME; without it the page looks whether it has become busy. */
  readonly data?: Uint8Array;
}

/** Runs pages that share a bottleneck. The same every time. */
export function simulate(
  path: PathOptions,
  pageOptions: readonly PageOptions[],
  duration: number,
  params: Readonly<Record<string, number>> = {},
): Outcome[] {
  const pages = pageOptions.map((options) => new Page(options, params));
  const random = lcg(1);
  // Kept in order by insertion from the end: arrivals are nearly in order already.
  const arrivals: Arrival[] = [];
  const add = (arrival: Arrival) => {
    let i = arrivals.length;
    while (i > 0 && (arrivals[i - 1] as Arrival).time > arrival.time) i--;
    arrivals.splice(i, 0, arrival);
  };
  let bottleneckFree = 0;
  pages.forEach((_, page) => {
    for (let time = page * 7; time < duration; time += 250) add({ time, page });
  });
  const lastArrival = pages.map(() => 0);
  for (let head = 0; head < arrivals.length; head++) {
    const { time, page: index, data } = arrivals[head] as Arrival;
    if (time >= duration) break;
    const page = pages[index] as Page;
    page.clock.time = time;
    if (data === undefined && page.awake(time) !== time) continue;
    if (data !== undefined) page.flow.sendmeReceived(data);
    while (page.flow.canSend && (page.options.busy?.(time) ?? true)) {
      bottleneckFree = Math.max(bottleneckFree, time) + 1 / path.rate;
      const tag = page.send();
      if (tag === undefined) continue;
      page.delivered.push(bottleneckFree);
      const there = bottleneckFree + path.delay + random() * (path.jitter ?? 0);
      const arrival = page.awake(Math.max(there, lastArrival[index] as number));
      lastArrival[index] = arrival;
      const sendme = encodeMessage({ command: RelayCommand.SENDME, version: 1, tag });
      add({ time: arrival, page: index, data: sendme });
    }
    const { cwnd, inflight } = page.flow.state;
    page.samples.push({ time, cwnd, inflight, queue: Math.max(0, bottleneckFree - time) });
  }
  return pages.map((page) => new Outcome(page));
}

export class Outcome {
  readonly samples: readonly Sample[];
  readonly #delivered: readonly number[];

  constructor(page: Page) {
    this.samples = page.samples;
    this.#delivered = page.delivered;
  }

  /** Cells that reached the exit in this time. */
  cells(from: number, to: number): number {
    return SENDME_INC * this.#delivered.filter((time) => time >= from && time < to).length;
  }

  between(from: number, to: number): readonly Sample[] {
    return this.samples.filter(({ time }) => time >= from && time < to);
  }

  /** Mean of what a sample has, in this time. */
  mean(of: keyof Sample, from: number, to: number): number {
    const samples = this.between(from, to);
    return samples.reduce((sum, sample) => sum + sample[of], 0) / samples.length;
  }

  most(of: keyof Sample, from: number, to: number): number {
    return this.between(from, to).reduce((most, sample) => Math.max(most, sample[of]), 0);
  }
}

/** Numbers in [0, 1), the same every time (Park and Miller). */
function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
