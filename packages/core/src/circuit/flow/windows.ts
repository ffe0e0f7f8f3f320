// Fixed flow-control windows with authenticated SENDMEs (tor-spec 7.3, proposal 289): of a hop and of a stream.

import { equalBytes } from "../../base/bytes.ts";
import { randomInt } from "../../base/random.ts";
import { circuitViolation } from "../errors.ts";

/** tor-spec 7.3: circuit-level window and increment, in DATA cells. */
const CIRCUIT_WINDOW = 1000;
const CIRCUIT_INCREMENT = 100;
/** tor-spec 7.4 */
const STREAM_WINDOW = 500;
const STREAM_INCREMENT = 50;
/** A cell counts as unpredictable with this many random bytes, as in C tor. */
const ENOUGH_RANDOMNESS = 16;

/** The flow control of a hop for all streams that end there. */
export class HopWindow {
  #packageLeft = CIRCUIT_WINDOW;
  #sent = 0;
  #received = 0;
  #deliverLeft = CIRCUIT_WINDOW;
  /** Tags of the cells that SENDMEs must answer, oldest first; at most ten. */
  readonly #expected: Uint8Array[] = [];
  #predictableFor = 0;
  #randomAfter = nextRandomCell();

  get canSend(): boolean {
    return this.#packageLeft > 0;
  }

  /** Whether the next DATA cell should leave room for random bytes, so that no tag can be foretold. */
  get wantsRandomness(): boolean {
    return this.#predictableFor >= this.#randomAfter;
  }

  /** A DATA cell left for the hop. @param padding random bytes in it */
  sent(tag: Uint8Array, padding: number): void {
    this.#packageLeft--;
    this.#sent++;
    if (padding >= ENOUGH_RANDOMNESS) {
      this.#predictableFor = 0;
      this.#randomAfter = nextRandomCell();
    } else {
      this.#predictableFor++;
    }
    if (this.#sent % CIRCUIT_INCREMENT === 0) this.#expected.push(tag);
  }

  /** A SENDME came. @throws TorError when none is due or its tag is not that of the cell it answers */
  acknowledged(tag: Uint8Array): void {
    const expected = this.#expected.shift();
    if (expected === undefined) throw circuitViolation("an unexpected SENDME for the circuit");
    if (!equalBytes(expected, tag)) throw circuitViolation("a SENDME with the wrong tag");
    this.#packageLeft += CIRCUIT_INCREMENT;
  }

  /** A DATA cell came. @returns whether a SENDME is due now. @throws TorError when the window is overrun */
  received(): boolean {
    if (--this.#deliverLeft < 0) throw circuitViolation("more DATA than the circuit's window allows");
    if (++this.#received % CIRCUIT_INCREMENT !== 0) return false;
    this.#deliverLeft += CIRCUIT_INCREMENT;
    return true;
  }
}

/** Somewhere in the second half of each SENDME interval, as C tor chooses it. */
function nextRandomCell(): number {
  const half = CIRCUIT_INCREMENT / 2;
  return half + randomInt(half);
}

/** The flow control of one stream. SENDMEs of streams follow what the application has read. */
export class StreamWindow {
  #packageLeft = STREAM_WINDOW;
  #deliverLeft = STREAM_WINDOW;
  #consumed = 0;

  get canSend(): boolean {
    return this.#packageLeft > 0;
  }

  sent(): void {
    this.#packageLeft--;
  }

  /** A SENDME came. @throws TorError when it acknowledges more than was sent */
  acknowledged(): void {
    if (this.#packageLeft + STREAM_INCREMENT > STREAM_WINDOW) {
      throw circuitViolation("an unexpected SENDME for a stream");
    }
    this.#packageLeft += STREAM_INCREMENT;
  }

  /** A DATA cell came. @throws TorError when the window is overrun */
  received(): void {
    if (--this.#deliverLeft < 0) throw circuitViolation("more DATA than the stream's window allows");
  }

  /** The application took `cells` cells. @returns how many SENDMEs are due */
  consumed(cells: number): number {
    this.#consumed += cells;
    const due = Math.floor(this.#consumed / STREAM_INCREMENT);
    this.#consumed -= due * STREAM_INCREMENT;
    this.#deliverLeft += due * STREAM_INCREMENT;
    return due;
  }
}
