// The moving average of congestion and flow control (proposal 324 2.1.2), in integers and rounded as C tor rounds.

/** N-EWMA of `previous` and `value`; 0 is "none yet". */
export function nEwma(value: number, previous: number, n: number): number {
  return previous === 0 ? value : Math.trunc((2 * value + (n - 1) * previous) / (n + 1));
}
