// A stream on which we sent END: what may still come on it (tor-spec 6.3). A cell beyond that is how DropMark marks circuits.

import type { StreamFlow } from "./flow/api.ts";
import { Phase, type StreamEntry } from "./stream-entry.ts";
import { circuitViolation } from "./violation.ts";

/**
 * DATA cells that may come after our END, where no window bounds them: the relay stops when END reaches it, and no more than
 * a congestion window is on its way then (5000 cells at the end of slow start, cc_ss_max). By cells, not bytes: a cell of one
 * byte marks as well as a full one.
 */
const MAX_LATE_CELLS = 16_384;

export class HalfClosedStream implements StreamEntry {
  readonly #flow: StreamFlow;
  /** Monotonic time after which nothing is excused any more. */
  readonly expires: number;
  #phase: number;
  #lateCells = 0;

  /** @param phase of the stream when it was ended */
  constructor(flow: StreamFlow, phase: number, expires: number) {
    this.#flow = flow;
    this.#phase = HALF[phase] ?? Phase.HALF_OPEN;
    this.expires = expires;
  }

  get phase(): number {
    return this.#phase;
  }

  receiveData(): void {
    if (++this.#lateCells > MAX_LATE_CELLS)
      throw circuitViolation("STREAM_WINDOW", "too much DATA after END");
    this.#flow.dataReceived(0);
  }

  /** CONNECTED may come once, and DATA after it. */
  receiveConnected(): void {
    this.#phase = Phase.HALF_OPEN;
  }

  receiveResolved(): void {}

  receiveSendme(): void {
    this.#flow.sendmeReceived();
  }

  receiveXon(data: Uint8Array): void {
    this.#flow.xonReceived(data);
  }

  receiveXoff(data: Uint8Array): void {
    this.#flow.xoffReceived(data);
  }

  receiveEnd(): void {}
}

const HALF: Readonly<Record<number, number>> = {
  [Phase.CONNECTING]: Phase.HALF_CONNECTING,
  [Phase.RESOLVING]: Phase.HALF_RESOLVING,
  [Phase.OPEN]: Phase.HALF_OPEN,
};
