// How many XOFF and XON the other side may send: no more than the data that we sent can have brought about. A relay could
// mark a stream with others (proposal 324 4.1.4, "DropMark"). C tor only leaves them out of the valid data that it counts;
// we close the circuit, and so we allow for an exit with another consensus than ours, as arti does: half of each limit.

import { circuitViolation } from "../violation.ts";
import type { StreamFlowParams } from "./params.ts";

/** C tor 0.4.9: at these, bytes and counts are halved, so that much data sent is no licence for many messages later. */
const HALVED_AT_BYTES = 10 * 2 ** 20;
const HALVED_AT_COUNT = 200;

export class DropMark {
  /** Bytes that must have been sent for each XOFF and for each advisory XON. */
  readonly #perXoff: number;
  readonly #perXon: number;
  #sent = 0;
  #xoffs = 0;
  /** Those that follow no XOFF. */
  #advisoryXons = 0;
  #isOff = false;

  constructor({ xoffClient, xoffExit, xonRate }: StreamFlowParams) {
    this.#perXoff = Math.trunc(Math.min(xoffClient, xoffExit) / 2);
    this.#perXon = Math.trunc(xonRate / 2);
  }

  /** Whether XOFF came and no XON since. */
  get isOff(): boolean {
    return this.#isOff;
  }

  sent(bytes: number): void {
    this.#sent += bytes;
    if (this.#sent >= HALVED_AT_BYTES) this.#halve();
  }

  /** @throws TorError `protocol-violation` when it is one too many */
  xoff(): void {
    if (this.#isOff) throw circuitViolation("XOFF", "a second XOFF without XON");
    if (this.#xoffs === HALVED_AT_COUNT) this.#halve();
    this.#xoffs++;
    if (this.#sent < this.#xoffs * this.#perXoff) {
      throw circuitViolation("XOFF", `XOFF number ${this.#xoffs} after ${this.#sent} bytes`);
    }
    this.#isOff = true;
  }

  /** @throws TorError `protocol-violation` when it is one too many */
  xon(): void {
    if (this.#isOff) {
      this.#isOff = false;
      return;
    }
    if (this.#advisoryXons === HALVED_AT_COUNT) this.#halve();
    this.#advisoryXons++;
    if (this.#sent < this.#advisoryXons * this.#perXon) {
      throw circuitViolation("XON", `advisory XON number ${this.#advisoryXons} after ${this.#sent} bytes`);
    }
  }

  #halve(): void {
    this.#sent = Math.trunc(this.#sent / 2);
    this.#xoffs = Math.trunc(this.#xoffs / 2);
    this.#advisoryXons = Math.trunc(this.#advisoryXons / 2);
  }
}
