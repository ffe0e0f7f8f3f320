// Flow control of a stream to a hop with congestion control: XOFF stops, XON starts and may tell a rate (proposal 324 4),
// when and as C tor 0.4.9's clients do. Without windows, what bounds a stream's memory is that an exit heeds XOFF; what
// comes regardless is for the limits of circuit and client.

import type { Clock, Timer } from "../../base/ports.ts";
import { RelayCommand } from "../relaycell/command.ts";
import { decodeMessage, encodeMessage, type Xon } from "../relaycell/messages.ts";
import { circuitViolation } from "../violation.ts";
import type { StreamFlow, StreamFlowOwner } from "./api.ts";
import { DrainRate, GRACE } from "./drain-rate.ts";
import { DropMark } from "./drop-mark.ts";
import type { StreamFlowParams } from "./params.ts";
import type { Timepiece } from "./timepiece.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Bytes that one burst of cells brings before the application gets its turn: 32 cells (congestion_control_flow.c). */
const BURST = 32 * 488;
/** Milliseconds between refills of an empty bucket (C tor's TokenBucketRefillInterval). */
const REFILL_INTERVAL = 100;
/** Microseconds that have passed when it is over, whatever the clock says: one that stands still must not stop us for good. */
const LEAST_REFILL = 1000;
/** Bytes a second from which a rate is no limit: they do not fit in C tor's buckets. */
const MAX_RATE = 2 ** 31 - 1;

export interface XonXoffOptions {
  readonly params: StreamFlowParams;
  readonly clock: Clock;
  /** The hop's. */
  readonly timepiece: Timepiece;
  readonly owner: StreamFlowOwner;
}

export class XonXoffFlow implements StreamFlow {
  readonly #owner: StreamFlowOwner;
  readonly #clock: Clock;
  readonly #timepiece: Timepiece;
  readonly #limit: number;
  readonly #drain: DrainRate;
  readonly #dropMark: DropMark;
  readonly #bucket: TokenBucket;
  /** Up to so many bytes waiting, the arrival of more means nothing. */
  #mark: number;
  /** Since when more waits than the limit. */
  #overSince: number | undefined;
  #xoffSent = false;
  #timer: Timer | undefined;
  #stopped = false;

  constructor({ params, clock, timepiece, owner }: XonXoffOptions) {
    this.#owner = owner;
    this.#clock = clock;
    this.#timepiece = timepiece;
    this.#limit = params.xoffClient;
    this.#mark = Math.min(params.xoffClient, BURST);
    this.#drain = new DrainRate(timepiece, params);
    this.#dropMark = new DropMark(params);
    this.#bucket = new TokenBucket(timepiece);
  }

  get canSend(): boolean {
    return !this.#dropMark.isOff && !this.#bucket.isEmpty;
  }

  dataSent(length: number): void {
    this.#dropMark.sent(length);
    this.#bucket.take(length);
    if (this.#bucket.isEmpty) this.#refill();
  }

  sendmeReceived(): void {
    throw circuitViolation("SENDME", "a stream SENDME on a hop with congestion control");
  }

  xoffReceived(data: Uint8Array): void {
    decodeMessage(RelayCommand.XOFF, data);
    this.#dropMark.xoff();
  }

  xonReceived(data: Uint8Array): void {
    const { kbpsEwma } = decodeMessage(RelayCommand.XON, data) as Xon;
    const couldSend = this.canSend;
    this.#dropMark.xon();
    const rate = kbpsEwma * 1000;
    this.#bucket.setRate(rate === 0 || rate > MAX_RATE ? Number.POSITIVE_INFINITY : rate);
    if (this.#bucket.isEmpty) return this.#refill();
    this.#cancelTimer();
    if (!couldSend) this.#wake();
  }

  dataReceived(buffered: number): void {
    if (buffered <= this.#mark) return;
    if (buffered > this.#limit && !this.#xoffSent) this.#considerXoff();
    if (buffered <= BURST) return;
    // A page that does not read does not call `consumed` either: its rate is measured from here on.
    this.#drain.drained(0, buffered);
    this.#considerXon(buffered);
  }

  consumed(_cells: number, length: number, buffered: number): void {
    if (this.#stopped) return;
    if (buffered <= this.#limit) this.#overSince = undefined;
    this.#drain.drained(length, buffered);
    this.#considerXon(buffered);
    if (buffered === 0) this.#drain.emptied();
  }

  stop(): void {
    this.#stopped = true;
    this.#mark = Number.POSITIVE_INFINITY;
    this.#cancelTimer();
  }

  #considerXoff(): void {
    const now = this.#timepiece.read();
    this.#overSince ??= now;
    // One step of a coarse clock may fall between any two cells and says nothing.
    if (now - this.#overSince <= GRACE + this.#timepiece.grain) return;
    this.#overSince = undefined;
    this.#xoffSent = true;
    this.#drain.forget();
    this.#owner.send(RelayCommand.XOFF, encodeMessage({ command: RelayCommand.XOFF }));
  }

  #considerXon(buffered: number): void {
    if (this.#xoffSent ? buffered > 0 : !this.#drain.hasChanged) return;
    this.#xoffSent = false;
    const message = { command: RelayCommand.XON, kbpsEwma: this.#drain.tell() };
    this.#owner.send(RelayCommand.XON, encodeMessage(message));
  }

  /** The bucket is empty: it is refilled now, or by and by until it no longer is. */
  #refill(least = 0): void {
    this.#bucket.refill(least);
    if (!this.#bucket.isEmpty || this.#timer !== undefined || this.#stopped) return;
    const timer = this.#clock.timer(REFILL_INTERVAL);
    this.#timer = timer;
    void timer.fired.then(() => {
      if (this.#timer !== timer) return;
      this.#timer = undefined;
      this.#refill(LEAST_REFILL);
      if (this.canSend) this.#wake();
    });
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wake(): void {
    if (!this.#stopped) this.#owner.wake();
  }
}
