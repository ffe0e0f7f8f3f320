// Randomness, only ever from crypto.getRandomValues.

/** getRandomValues refuses more than this many bytes a call (Web Cryptography API 10.1.1). */
const QUOTA = 65536;

export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  fillRandom(bytes, 0, length);
  return bytes;
}

/** Random bytes into `target[from, to)`. */
export function fillRandom(target: Uint8Array, from: number, to: number): void {
  for (; from < to; from += QUOTA) crypto.getRandomValues(target.subarray(from, Math.min(from + QUOTA, to)));
}

/** An unbiased integer in [0, below), `below` up to 2^53. */
export function randomInt(below: number): number {
  if (!Number.isSafeInteger(below) || below < 1) throw new RangeError("randomInt wants a positive integer");
  // Rejection sampling over 53 bits: values of the last, incomplete run of `below` are drawn again.
  const span = 2 ** 53;
  const limit = span - (span % below);
  for (;;) {
    const value = random53();
    if (value < limit) return value % below;
  }
}

/** A uniform number in [0, 1) with 53 random bits. */
export function randomUnit(): number {
  return random53() / 2 ** 53;
}

function random53(): number {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return ((words[0] as number) >>> 11) * 2 ** 32 + (words[1] as number);
}

/** The items in a random order (Fisher-Yates), as a new array. */
export function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
