// SENDME windows: circuit-level, authenticated (version 1), and stream-level (tor-spec 7.3, 7.4; proposal 289).
// Not here: congestion control (proposal 324).

import { equalBytes } from "../../base/bytes.ts";
import { randomInt } from "../../base/random.ts";
import { RelayCommand } from "../relaycell/command.ts";
import { decodeMessage, SENDME_V1 } from "../relaycell/messages.ts";
import { circuitViolation } from "../violation.ts";
import type { HopFlow, StreamFlow } from "./api.ts";

/** tor-spec 7.3: cells of a circuit's window and of one SENDME. */
const CIRCUIT_WINDOW = 1000;
const CIRCUIT_INCREMENT = 100;
/** tor-spec 7.4: the same for a stream. */
const STREAM_WINDOW = 500;
const STREAM_INCREMENT = 50;

/** Padding that makes a SENDME's tag unpredictable: a gap of 4 zero bytes and 16 random ones (proposal 289 3.4). */
const RANDOM_ROOM = 4 + 16;

export class WindowFlow implements HopFlow {
  #sendWindow = CIRCUIT_WINDOW;
  /** DATA cells since the last SENDME; it is sent as soon as it is due, so the window never closes on our side. */
  #received = 0;
  /** Tags of the cells for which SENDMEs are owed, oldest first; at most ten. */
  readonly #owed: Uint8Array[] = [];
  #cellsUntilRandom = randomInterval();
  #hasBeenRandom = false;

  get canSend(): boolean {
    return this.#sendWindow > 0;
  }

  dataSent(tag: Uint8Array): void {
    this.#sendWindow--;
    if (this.#sendWindow % CIRCUIT_INCREMENT === 0) this.#owed.push(tag);
  }

  sendmeReceived(body: Uint8Array): void {
    const message = decodeMessage(RelayCommand.SENDME, body);
    if (message.command !== RelayCommand.SENDME || message.version !== SENDME_V1) {
      throw circuitViolation("SENDME_VERSION", "a circuit SENDME that is not of version 1");
    }
    const owed = this.#owed.shift();
    if (owed === undefined) throw circuitViolation("SENDME", "a circuit SENDME that is not owed");
    // A longer tag is read as far as it is ours (tor-spec 7.3.1).
    if (!equalBytes(message.tag.subarray(0, owed.length), owed)) {
      throw circuitViolation("SENDME_TAG", "a circuit SENDME whose tag is not of the cell that we sent");
    }
    this.#sendWindow += CIRCUIT_INCREMENT;
  }

  dataReceived(): boolean {
    this.#received = (this.#received + 1) % CIRCUIT_INCREMENT;
    return this.#received === 0;
  }

  dataLength(available: number, max: number): number {
    const withRandom = max - RANDOM_ROOM;
    const due = this.#cellsUntilRandom === 0;
    const length = Math.min(available, due && !this.#hasBeenRandom ? withRandom : max);
    if (due) {
      this.#cellsUntilRandom = randomInterval();
      this.#hasBeenRandom = false;
    } else if (length <= withRandom) {
      this.#hasBeenRandom = true;
    }
    this.#cellsUntilRandom--;
    return length;
  }

  stream(): StreamFlow {
    return new WindowStreamFlow();
  }
}

/** Cells between two with random bytes, such that each increment of the window has one; drawn as C tor draws it. */
function randomInterval(): number {
  return CIRCUIT_INCREMENT / 2 + randomInt(CIRCUIT_INCREMENT / 2);
}

class WindowStreamFlow implements StreamFlow {
  #sendWindow = STREAM_WINDOW;
  #receiveWindow = STREAM_WINDOW;
  /** Cells that the application took since the last SENDME. */
  #consumed = 0;

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
  }

  dataReceived(): void {
    if (this.#receiveWindow === 0)
      throw circuitViolation("STREAM_WINDOW", "more DATA than the stream's window");
    this.#receiveWindow--;
  }

  consumed(cells: number): number {
    this.#consumed += cells;
    const sendmes = Math.floor(this.#consumed / STREAM_INCREMENT);
    this.#consumed -= sendmes * STREAM_INCREMENT;
    this.#receiveWindow += sendmes * STREAM_INCREMENT;
    return sendmes;
  }
}
