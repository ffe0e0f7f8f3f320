// The last hundred times that something took, and their median.

const KEPT = 100;

export class RecentTimes {
  readonly #ring = new Float64Array(KEPT);
  #count = 0;

  /** How many there were in all. */
  get count(): number {
    return this.#count;
  }

  /** Of the last hundred; undefined where there is none. */
  get median(): number | undefined {
    const sorted = this.#ring.slice(0, Math.min(this.#count, KEPT)).sort();
    const middle = (sorted.length - 1) / 2;
    const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
    return low === undefined || high === undefined ? undefined : (low + high) / 2;
  }

  /** @param ms not negative */
  add(ms: number): void {
    this.#ring[this.#count % KEPT] = ms;
    this.#count++;
  }
}
