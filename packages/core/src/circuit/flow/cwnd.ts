// The congestion window of Tor Vegas (proposal 324 3.3, RFC 3742), step for step as C tor 0.4.9 moves it: its divisions
// truncate, and its vectors hold to the last cell. The window grows while few cells stand in queues, and shrinks when many
// do; queues are what the window holds above the path's bandwidth-delay product.

import type { CongestionParams } from "./params.ts";
import type { RttEstimator, WindowState } from "./rtt.ts";

export class CongestionWindow implements WindowState {
  readonly #params: CongestionParams;
  readonly #sendmeInc: number;
  /** A window below sendmeInc would wait for a SENDME that nothing brings about; C tor leaves that to the consensus. */
  readonly #least: number;
  #size: number;
  #inSlowStart = true;
  #isFull = false;
  #wasBlocked = false;
  /** SENDMEs until the window is looked at again, and until it was acknowledged once. */
  #untilUpdate = 1;
  #untilCwnd = 0;

  constructor(params: CongestionParams, sendmeInc: number) {
    this.#params = params;
    this.#sendmeInc = sendmeInc;
    this.#least = Math.max(params.cwndMin, sendmeInc);
    this.#size = Math.max(params.cwndInit, sendmeInc);
  }

  /** Cells that may be on their way. */
  get size(): number {
    return this.#size;
  }

  get inSlowStart(): boolean {
    return this.#inSlowStart;
  }

  /** Whether it was used up of late: only then it may grow. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether the channel did not take our cells at the last SENDME. */
  get wasBlocked(): boolean {
    return this.#wasBlocked;
  }

  get starved(): boolean {
    return !this.#inSlowStart && this.#size === this.#least;
  }

  get smoothing(): number {
    const { ewmaCwndPct, ewmaMax, ewmaSs } = this.#params;
    const n = this.#inSlowStart
      ? ewmaSs
      : Math.min(Math.trunc((this.#sendmesPerUpdate * ewmaCwndPct) / 100), ewmaMax);
    return Math.max(n, 2);
  }

  /** Rounded. */
  get sendmesPerCwnd(): number {
    const inc = this.#sendmeInc;
    return Math.trunc((this.#size + Math.trunc(inc / 2)) / inc);
  }

  /** Rounded; 0 and 1 both mean every SENDME. */
  get #sendmesPerUpdate(): number {
    if (this.#inSlowStart) return 1;
    const cells = this.#params.cwndIncRate * this.#sendmeInc;
    return Math.trunc((this.#size + Math.trunc(cells / 2)) / cells);
  }

  /**
   * A SENDME came.
   * @param inflight cells under way, those included that it acknowledges @param blocked whether the channel takes no cells
   */
  acknowledged(inflight: number, rtt: RttEstimator, blocked: boolean): void {
    if (this.#untilUpdate > 0) this.#untilUpdate--;
    if (this.#untilCwnd > 0) this.#untilCwnd--;
    const measured = rtt.acknowledged(this);
    const bdp = this.#estimateBdp(rtt, blocked);
    if (!measured && !blocked) return;
    const queued = Math.max(0, this.#size - bdp);
    this.#judgeFullness(inflight);
    if (this.#inSlowStart) this.#slowStart(queued, bdp);
    else if (this.#untilUpdate === 0) this.#steady(queued, bdp);
    this.#size = Math.min(Math.max(this.#size, this.#least), this.#params.cwndMax);
    this.#restartCounts();
  }

  /** Bandwidth-delay product by window and RTT (proposal 324 3.1.2); it also notes whether the channel is blocked. */
  #estimateBdp(rtt: RttEstimator, blocked: boolean): number {
    const changed = blocked !== this.#wasBlocked;
    this.#wasBlocked = blocked;
    // No measurement yet. A blocked channel has more of our cells waiting than the first window holds.
    if (rtt.ewma === 0) return blocked ? this.#least : this.#size;
    // Both ways a signal that does not wait for the window's turn.
    if (changed) this.#untilUpdate = 0;
    return Math.trunc((this.#size * rtt.min) / rtt.ewma);
  }

  #judgeFullness(inflight: number): void {
    const { cwndFullGap, cwndFullMinPct } = this.#params;
    if (inflight + cwndFullGap * this.#sendmeInc >= this.#size) this.#isFull = true;
    else if (100 * inflight < cwndFullMinPct * this.#size) this.#isFull = false;
  }

  #slowStart(queued: number, bdp: number): void {
    const { gamma, cwndInc, cwndIncRate, ssMax } = this.#params;
    if (queued >= gamma || this.#wasBlocked) {
      this.#size = bdp + gamma;
      this.#inSlowStart = false;
    } else if (this.#isFull) {
      const step = this.#slowStartStep();
      this.#size += step;
      // No faster than it would grow afterwards.
      if (step * this.sendmesPerCwnd <= cwndInc * cwndIncRate) this.#inSlowStart = false;
    }
    if (this.#size >= ssMax) {
      this.#size = ssMax;
      this.#inSlowStart = false;
    }
  }

  /** Limited slow start (RFC 3742 2). */
  #slowStartStep(): number {
    const { ssCap, cwndIncPctSs } = this.#params;
    const inc = this.#sendmeInc;
    if (this.#size <= ssCap) return Math.trunc((cwndIncPctSs * inc + 50) / 100);
    return Math.max(1, Math.trunc((inc * ssCap + this.#size) / (2 * this.#size)));
  }

  #steady(queued: number, bdp: number): void {
    const { alpha, beta, delta, cwndInc } = this.#params;
    if (queued > delta) this.#size = bdp + delta - cwndInc;
    else if (queued > beta || this.#wasBlocked) this.#size -= cwndInc;
    else if (this.#isFull && queued < alpha) this.#size += cwndInc;
  }

  #restartCounts(): void {
    if (this.#untilCwnd === 0) this.#untilCwnd = this.sendmesPerCwnd;
    if (this.#untilUpdate === 0) this.#untilUpdate = this.#sendmesPerUpdate;
    const over = this.#params.cwndFullPerCwnd
      ? this.#untilCwnd === this.sendmesPerCwnd
      : this.#untilUpdate === this.#sendmesPerUpdate;
    if (over) this.#isFull = false;
  }
}
