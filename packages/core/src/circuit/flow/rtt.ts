// Round-trip time of a circuit, from the cells that SENDMEs acknowledge (proposal 324 2.1), in whole microseconds and, on a
// fine clock, to the last digit as C tor has it. To C tor a difference of 0 is no measurement; ours must do with the clock
// that a browser leaves us, and with pages that are frozen in the midst of it:
//
// - A coarse clock. The mean of differences between rounded readings is right even where nearly all of them are 0: of the
//   round trips in one step of the clock, as many straddle its end as their length is of the step's. So all SENDMEs of one
//   reading are one measurement, taken when the clock moves on, and how much measurements scatter is held in favour of the
//   path: by so much is the smallest RTT above, and the smoothed one below what was found. A chance low is otherwise the
//   smallest RTT for good, and the window small for good.
// - A clock that stood still or jumped: what was under way, or was measured while it stood, does not count.
// - A frozen page: no more does a SENDME that is late beyond all experience, nor those that were under way with it.
//
// On simulated paths (coarse-clocks.test.ts) a clock of 100 ms keeps nine tenths of a fine one's throughput up to 5 MB/s and
// half beyond, and adds queues of two of its steps at the most.

import { nEwma } from "./ewma.ts";
import type { Timepiece } from "./timepiece.ts";

/** What the congestion window says about itself when a SENDME comes. */
export interface WindowState {
  readonly inSlowStart: boolean;
  /** Whether the window is at its least after slow start. */
  readonly starved: boolean;
  /** N of the N-EWMA. */
  readonly smoothing: number;
  /** SENDMEs in one window. */
  readonly sendmesPerCwnd: number;
}

/** With a step of the clock above this part of the RTT, a single difference is no measurement. */
const FINE = 1 / 32;
/** A SENDME later than this many times the largest RTT, and some microseconds, says that we or the path stood still. */
const LATE_FACTOR = 4;
const LATE_SLACK = 2_000_000;
/** No RTT is as many times the smoothed one, nor that as many times an RTT (C tor's DELTA_DISCREPENCY_RATIO_MAX). */
const DISCREPANCY = 5000;

export class RttEstimator {
  readonly #timepiece: Timepiece;
  readonly #resetPct: number;
  readonly #heuristics = new ClockHeuristics();
  /** When the cells were sent whose SENDMEs are owed, oldest first. A window bounds their number. */
  readonly #sent: number[] = [];
  /** How many of them, from the first on, cannot be measured. */
  #spoilt = 0;
  #breaks = 0;
  #wasLate = false;
  #ewma = 0;
  #min = 0;
  #max = 0;
  /** On a coarse clock, how far measurements lie from the smoothed RTT. */
  #scatter = 0;
  /** The clock at the last SENDME, and the estimates before the first of that reading. */
  #reading = -1;
  #ewmaBefore = 0;
  #minBefore = 0;
  /** Sum and number of this reading's differences on a coarse clock, and how many more the window may answer. */
  #sum = 0;
  #count = 0;
  #allowed = 0;
  /** Whether one reading came twice: only then the clock may be coarse. */
  #repeats = false;

  /** @param resetPct cc_rtt_reset_pct */
  constructor(timepiece: Timepiece, resetPct: number) {
    this.#timepiece = timepiece;
    this.#resetPct = resetPct;
  }

  /** The smoothed RTT; 0 before the first measurement. */
  get ewma(): number {
    return this.#scatter === 0 ? this.#ewma : Math.max(this.#ewma - this.#scatter, this.#min);
  }

  get min(): number {
    return this.#min;
  }

  /** A cell was sent that a SENDME will acknowledge. */
  sent(): void {
    this.#sent.push(this.#read());
  }

  /** The SENDME of the oldest such cell came. Returns whether the window may answer to the estimates as they are now. */
  acknowledged(window: WindowState): boolean {
    const now = this.#read();
    const rtt = now - (this.#sent.shift() as number);
    if (rtt === 0 || now === this.#reading) this.#noteRepeat();
    if (now !== this.#reading) this.#turnTo(now, window);
    const measurable = this.#spoilt === 0;
    if (!measurable) this.#spoilt--;
    const coarse = this.#isCoarse;
    if (rtt === 0 && !coarse) this.#discard();
    if (!measurable || this.#isLate(rtt)) return false;
    if (coarse) return this.#gather(rtt);
    if (this.#heuristics.stalledOrJumped(window.inSlowStart, this.#ewma, rtt)) return false;
    this.#scatter = 0;
    this.#measure(rtt, window);
    return true;
  }

  #read(): number {
    const now = this.#timepiece.read();
    if (this.#timepiece.breaks !== this.#breaks) {
      this.#breaks = this.#timepiece.breaks;
      this.#discard();
    }
    return now;
  }

  /** The clock did not go with the time: neither what is under way nor what came at this reading tells anything. */
  #discard(): void {
    this.#spoilt = this.#sent.length;
    this.#ewma = this.#ewmaBefore;
    this.#min = this.#minBefore;
    this.#sum = 0;
    this.#count = 0;
  }

  /** Only once in a row: a path that really became that slow is measured from its second window on. */
  #isLate(rtt: number): boolean {
    const late = this.#max > 0 && rtt > LATE_FACTOR * this.#max + LATE_SLACK;
    if (!late || this.#wasLate) return false;
    this.#wasLate = true;
    this.#spoilt = this.#sent.length;
    return true;
  }

  get #isCoarse(): boolean {
    return this.#repeats && this.#timepiece.grain > this.#ewma * FINE;
  }

  /** One reading came twice. What a coarse clock measured before that was known is nothing to build on. */
  #noteRepeat(): void {
    if (this.#repeats) return;
    this.#repeats = true;
    if (!this.#isCoarse) return;
    this.#ewma = this.#ewmaBefore = 0;
    this.#min = this.#minBefore = 0;
  }

  /** The clock moved on: what was gathered is a measurement. */
  #turnTo(now: number, window: WindowState): void {
    if (this.#count > 0) {
      const { grain } = this.#timepiece;
      const rtt = Math.max(Math.trunc(this.#sum / this.#count), Math.ceil(grain / 2));
      const scatter = nEwma(Math.abs(rtt - this.#ewma), this.#scatter, window.smoothing);
      this.#scatter = this.#ewma === 0 ? Math.ceil(grain / 2) : Math.max(scatter, Math.ceil(grain / 4));
      this.#sum = 0;
      this.#count = 0;
      this.#measure(rtt, window);
    }
    this.#reading = now;
    this.#allowed = window.sendmesPerCwnd;
    this.#ewmaBefore = this.#ewma;
    this.#minBefore = this.#min;
  }

  /** The window may answer to no more than itself at one reading: the clock may stand still. */
  #gather(rtt: number): boolean {
    this.#sum += rtt;
    this.#count++;
    return this.#ewma > 0 && this.#allowed-- > 0;
  }

  #measure(rtt: number, window: WindowState): void {
    this.#wasLate = false;
    this.#max = Math.max(this.#max, rtt);
    this.#ewma = nEwma(rtt, this.#ewma, window.smoothing);
    const low = this.#ewma + this.#scatter;
    if (this.#min === 0) this.#min = low;
    // A smallest RTT that was too small would hold the window at its least for good.
    else if (window.starved) this.#min = percentMaxMix(this.#ewma, this.#min, this.#resetPct);
    // The smoothed RTT, not the last one: other circuits' cells come and go.
    else this.#min = Math.min(this.#min, low);
  }
}

/** The larger and the smaller of two values, weighted `pct` to 100 - `pct`. */
function percentMaxMix(a: number, b: number, pct: number): number {
  return Math.trunc((pct * Math.max(a, b)) / 100) + Math.trunc(((100 - pct) * Math.min(a, b)) / 100);
}

/** What tells from a single difference that the clock stalled or jumped (proposal 324 2.1.1). */
export class ClockHeuristics {
  #stalled = false;

  stalledOrJumped(inSlowStart: boolean, ewma: number, rtt: number): boolean {
    if (rtt === 0) {
      this.#stalled = true;
      return true;
    }
    if (inSlowStart || ewma === 0) return false;
    // That small, it may be the path's doing, unless the clock was seen to stand still.
    if (ewma > rtt * DISCREPANCY) return this.#stalled;
    if (rtt > ewma * DISCREPANCY) return true;
    this.#stalled = false;
    return false;
  }
}
