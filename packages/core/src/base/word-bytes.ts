// A buffer of fixed place that is worked on in words: cells are copied into one, since views made for every cell would cost
// more than the copy (43 ns for 509 bytes against some 100 for three views; Node 24).

/** Bytes from a word border on, with views of the same memory. Made once and used again and again. */
export class WordBytes {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly view: DataView;

  /** @param length bytes, rounded up to whole words */
  constructor(length: number) {
    const buffer = new ArrayBuffer((length + 3) & ~3);
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.view = new DataView(buffer);
  }
}
