// How fast the application takes a stream's data (proposal 324 4.1.2), in kilobytes (1000 bytes) a second, for XON to tell.
// As C tor 0.4.9 measures it, with three exceptions. The bytes are those of the very interval, since a coarse clock makes
// intervals of any length. What the clock cannot tell is not told: the other side would throttle the stream for nothing. And
// a burst of cells that is taken at once is no interval: C tor meets none that is longer than 32 cells, we do.

import { nEwma } from "./ewma.ts";
import type { StreamFlowParams } from "./params.ts";
import type { Timepiece } from "./timepiece.ts";

const INT32_MAX = 2 ** 31 - 1;
/** An interval must be this many steps of the clock long, so that its error stays well below cc_xon_change_pct. */
const STEPS = 8;
/** Microseconds after which it was a pause, not a rate: the page was frozen, or reads in its own time. */
const LONGEST = 5_000_000;
/**
 * Microseconds for the application to take what came at once: one that does has kept up (congestion_control_flow.c, where it
 * is the grace before XOFF).
 */
export const GRACE = 5000;

export class DrainRate {
  readonly #timepiece: Timepiece;
  readonly #params: StreamFlowParams;
  /** When the interval began; undefined while none is measured. */
  #since: number | undefined;
  #breaks = 0;
  /** Bytes taken in the interval, or while nothing waited. */
  #drained = 0;
  /** Bytes taken while nothing waited, before the interval. */
  #drainedBefore = 0;
  #ewma = 0;
  #told = 0;

  constructor(timepiece: Timepiece, params: StreamFlowParams) {
    this.#timepiece = timepiece;
    this.#params = params;
  }

  /** The application took `length` bytes, possibly none; `buffered` wait. */
  drained(length: number, buffered: number): void {
    this.#drained += length;
    if (this.#since === undefined) {
      if (buffered > 0) this.#begin();
    } else if (this.#drained > this.#params.xonRate) {
      this.#measure(this.#since);
    }
  }

  /** Nothing waits any more. After a while of that, the application could take twice as much. */
  emptied(): void {
    if (this.#since !== undefined && this.#wasBurst(this.#since)) this.#drained += this.#drainedBefore;
    this.#since = undefined;
    if (this.#told === 0 || this.#drained < this.#params.xonRate) return;
    this.#ewma = Math.min(INT32_MAX, 2 * this.#ewma);
    this.#drained = 0;
  }

  /** Whether the rate is far enough from the one that was told, if any was. */
  get hasChanged(): boolean {
    const pct = this.#params.xonChangePct;
    if (this.#told === 0) return false;
    return (
      this.#ewma > Math.trunc(((100 + pct) * this.#told) / 100) ||
      this.#ewma < Math.trunc(((100 - pct) * this.#told) / 100)
    );
  }

  /** The rate that XON is to tell; 0, which is no limit, where none was measured. */
  tell(): number {
    this.#told = this.#ewma;
    return this.#told;
  }

  /** XOFF was sent: the rate was wrong. */
  forget(): void {
    this.#ewma = 0;
  }

  #begin(): void {
    this.#since = this.#timepiece.read();
    this.#breaks = this.#timepiece.breaks;
    this.#drainedBefore = this.#drained;
    this.#drained = 0;
  }

  #wasBurst(since: number): boolean {
    return this.#timepiece.read() - since <= GRACE + this.#timepiece.grain;
  }

  #measure(since: number): void {
    const elapsed = this.#timepiece.read() - since;
    const broken = this.#timepiece.breaks !== this.#breaks || elapsed > LONGEST;
    if (!broken && elapsed < STEPS * this.#timepiece.grain) return;
    // Bytes a microsecond times 1000 are kilobytes a second.
    const rate = Math.max(1, Math.trunc((this.#drained * 1000) / elapsed));
    if (!broken) this.#ewma = nEwma(Math.min(rate, INT32_MAX), this.#ewma, this.#params.xonEwmaCnt);
    this.#since = undefined;
    this.#drained = 0;
  }
}
