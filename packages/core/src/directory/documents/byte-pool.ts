// Room for many short byte strings: in V8 a Uint8Array with a buffer of its own costs 240 bytes, one that shares it 100.

const LARGEST_CHUNK = 4096;

/** Copies of byte strings, which share a few buffers. What is kept here stays in memory as long as its neighbours. */
export class BytePool {
  #chunk = new Uint8Array(64);
  #used = 0;

  keep(bytes: Uint8Array): Uint8Array {
    if (this.#used + bytes.length > this.#chunk.length) {
      this.#chunk = new Uint8Array(Math.max(bytes.length, Math.min(2 * this.#chunk.length, LARGEST_CHUNK)));
      this.#used = 0;
    }
    const copy = this.#chunk.subarray(this.#used, this.#used + bytes.length);
    copy.set(bytes);
    this.#used += bytes.length;
    return copy;
  }
}
