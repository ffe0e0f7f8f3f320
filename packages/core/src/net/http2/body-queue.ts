// The part of a response's body that has come and was not read yet. How much that may be, flow control says.

import { type Deferred, deferred } from "../../base/abort.ts";
import { concat } from "../../base/bytes.ts";

/** Pieces smaller than this are put together, so that tiny frames do not cost more than their bytes. */
const SMALL = 1024;

export class BodyQueue {
  readonly #pieces: Uint8Array[] = [];
  readonly #onTaken: (bytes: number) => void;
  #wake: Deferred<void> = deferred();
  #end: { readonly error?: unknown } | undefined;

  /** @param onTaken told how many bytes the reader took */
  constructor(onTaken: (bytes: number) => void) {
    this.#onTaken = onTaken;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Copies the bytes: they are part of something larger, which must not be kept for their sake. */
  push(bytes: Uint8Array): void {
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.length < SMALL && bytes.length < SMALL) {
      this.#pieces[this.#pieces.length - 1] = concat(last, bytes);
    } else this.#pieces.push(bytes.slice());
    this.#wake.resolve();
  }

  /** The body ends here, or breaks off. The first end counts. */
  end(end: { readonly error?: unknown }): void {
    this.#end ??= end;
    this.#wake.resolve();
  }

  /** Drops what was not read. */
  clear(): void {
    this.#pieces.length = 0;
  }

  /** The next piece, or undefined after the end. One caller at a time. @throws what it broke off with */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#onTaken(piece.length);
        return piece;
      }
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return undefined;
      }
      this.#wake = deferred();
      await this.#wake.promise;
    }
  }
}
