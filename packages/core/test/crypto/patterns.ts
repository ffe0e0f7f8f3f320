// Repeatable pseudo-random bytes and splits for the tests of this room.

/** A small generator (mulberry32), so that a failure comes again. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `length` bytes that depend on `seed` only. */
export function pattern(length: number, seed: number): Uint8Array {
  const next = generator(seed);
  return Uint8Array.from({ length }, () => next() * 256);
}

/** [from, to) pieces of 0 to `max` bytes that cover `length` bytes. */
export function splits(length: number, max: number, seed: number): [from: number, to: number][] {
  const next = generator(seed ^ 0x5eed);
  const pieces: [number, number][] = [];
  for (let at = 0; at < length; ) {
    const to = Math.min(length, at + Math.floor(next() * (max + 1)));
    pieces.push([at, to]);
    at = to;
  }
  return pieces;
}
