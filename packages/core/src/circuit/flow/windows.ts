// SENDME windows of fixed size: circuit-level, authenticated, and stream-level (tor-spec 7.3, 7.4), for hops without
// congestion control.

import { RelayCommand } from "../relaycell/command.ts";
import { circuitViolation } from "../violation.ts";
import type { HopFlow, SentTags, StreamFlow, StreamFlowOwner } from "./api.ts";
import { RandomData } from "./random-data.ts";
import { SendmeTags } from "./sendme-tags.ts";

/** tor-spec 7.3: cells of a circuit's window and of one SENDME. */
const CIRCUIT_WINDOW = 1000;
const CIRCUIT_INCREMENT = 100;
/** tor-spec 7.4: the same for a stream. */
const STREAM_WINDOW = 500;
const STREAM_INCREMENT = 50;

const NO_DATA = new Uint8Array(0);

export class WindowFlow implements HopFlow {
  #sendWindow = CIRCUIT_WINDOW;
  /** DATA cells since the last SENDME; it is sent as soon as it is due, so the window never closes on our side. */
  #received = 0;
  /** At most ten. */
  readonly #owed = new SendmeTags();
  readonly #random = new RandomData();

  get canSend(): boolean {
    return this.#sendWindow > 0;
  }

  dataSent(tags: SentTags): void {
    this.#sendWindow--;
    if (this.#sendWindow % CIRCUIT_INCREMENT === 0) this.#owed.expect(tags.sentTag());
  }

  sendmeReceived(data: Uint8Array): void {
    this.#owed.accept(data);
    this.#sendWindow += CIRCUIT_INCREMENT;
  }

  dataReceived(): boolean {
    this.#received = (this.#received + 1) % CIRCUIT_INCREMENT;
    return this.#received === 0;
  }

  dataLength(available: number, max: number): number {
    return this.#random.dataLength(available, max);
  }

  stream(owner: StreamFlowOwner): StreamFlow {
    return new WindowStreamFlow(owner);
  }
}

class WindowStreamFlow implements StreamFlow {
  readonly #owner: StreamFlowOwner;
  #sendWindow = STREAM_WINDOW;
  #receiveWindow = STREAM_WINDOW;
  /** Cells that the application took since the last SENDME. */
  #consumed = 0;

  constructor(owner: StreamFlowOwner) {
    this.#owner = owner;
  }

  get canSend(): boolean {
    return this.#sendWindow > 0;
  }

  dataSent(): void {
    this.#sendWindow--;
  }

  sendmeReceived(): void {
    if (this.#sendWindow + STREAM_INCREMENT > STREAM_WINDOW) {
      throw circuitViolation("SENDME", "a stream SENDME that is not owed");
    }
    this.#sendWindow += STREAM_INCREMENT;
    if (this.#sendWindow === STREAM_INCREMENT) this.#owner.wake();
  }

  xonReceived(): void {
    throw circuitViolation("XON", "XON on a hop without congestion control");
  }

  xoffReceived(): void {
    throw circuitViolation("XOFF", "XOFF on a hop without congestion control");
  }

  dataReceived(): void {
    if (this.#receiveWindow === 0)
      throw circuitViolation("STREAM_WINDOW", "more DATA than the stream's window");
    this.#receiveWindow--;
  }

  consumed(cells: number): void {
    this.#consumed += cells;
    while (this.#consumed >= STREAM_INCREMENT) {
      this.#consumed -= STREAM_INCREMENT;
      this.#receiveWindow += STREAM_INCREMENT;
      this.#owner.send(RelayCommand.SENDME, NO_DATA);
    }
  }

  stop(): void {}
}
