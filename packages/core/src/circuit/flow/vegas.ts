// Flow control of a hop with congestion control (proposal 324): what may be sent is the congestion window less the cells
// on their way, and each SENDME moves the window. SENDMEs are authenticated as everywhere (tor-spec 7.3.1).

import type { Clock } from "../../base/ports.ts";
import type { HopFlow, SentTags, StreamFlow, StreamFlowOwner } from "./api.ts";
import { CongestionWindow } from "./cwnd.ts";
import type { CongestionParams } from "./params.ts";
import { RandomData } from "./random-data.ts";
import { RttEstimator } from "./rtt.ts";
import { SendmeTags } from "./sendme-tags.ts";
import { Timepiece } from "./timepiece.ts";
import { XonXoffFlow } from "./xon-xoff.ts";

export interface VegasOptions {
  readonly params: CongestionParams;
  /** Cells that one SENDME acknowledges, as negotiated with the hop. */
  readonly sendmeInc: number;
  readonly clock: Clock;
  /** Whether the channel takes no more cells now. */
  readonly isBlocked: () => boolean;
}

export class VegasFlow implements HopFlow {
  readonly #options: VegasOptions;
  readonly #sendmeInc: number;
  readonly #timepiece: Timepiece;
  readonly #window: CongestionWindow;
  readonly #rtt: RttEstimator;
  readonly #owed = new SendmeTags();
  readonly #random = new RandomData();
  #inflight = 0;
  /** DATA cells since the last SENDME that we sent. */
  #received = 0;

  constructor(options: VegasOptions) {
    const { params, sendmeInc, clock } = options;
    this.#options = options;
    this.#sendmeInc = sendmeInc;
    this.#timepiece = new Timepiece(clock);
    this.#window = new CongestionWindow(params, sendmeInc);
    this.#rtt = new RttEstimator(this.#timepiece, params.rttResetPct);
  }

  get canSend(): boolean {
    // More may be on their way than the window holds, when it has just shrunk.
    return this.#inflight < this.#window.size;
  }

  dataSent(tags: SentTags): void {
    this.#inflight++;
    // SENDMEs take whole multiples away, so this is the cell that completes one however many are outstanding.
    if (this.#inflight % this.#sendmeInc !== 0) return;
    this.#owed.expect(tags.sentTag());
    this.#rtt.sent();
  }

  sendmeReceived(data: Uint8Array): void {
    this.#owed.accept(data);
    this.#window.acknowledged(this.#inflight, this.#rtt, this.#options.isBlocked());
    this.#inflight -= this.#sendmeInc;
  }

  dataReceived(): boolean {
    if (++this.#received < this.#sendmeInc) return false;
    this.#received = 0;
    return true;
  }

  dataLength(available: number, max: number): number {
    return this.#random.dataLength(available, max);
  }

  stream(owner: StreamFlowOwner): StreamFlow {
    const { params, clock } = this.#options;
    return new XonXoffFlow({ params: params.streams, clock, timepiece: this.#timepiece, owner });
  }

  /** Cells in the congestion window and on their way, and the smoothed RTT in milliseconds (0 before the first). */
  get state(): { readonly cwnd: number; readonly inflight: number; readonly rtt: number } {
    return { cwnd: this.#window.size, inflight: this.#inflight, rtt: this.#rtt.ewma / 1000 };
  }
}
