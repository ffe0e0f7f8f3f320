// One writer for all streams: frames wait here while the stream is busy, and go out together.
// Bounds: each stream has one frame of data here and waits for it; answers to the server's own frames are bounded by what it
// may send of those (`FrameBudget`), and by MAX_WAITING, when it reads none of them.

import { type Deferred, deferred } from "../../base/abort.ts";
import type { ByteStream } from "../../base/byte-stream.ts";
import { concat } from "../../base/bytes.ts";
import { toTorError } from "../../base/errors.ts";
import { floodError } from "./errors.ts";

/** Frames that wait, far more than our streams can have. */
const MAX_WAITING = 4000;

export class FrameWriter {
  readonly #stream: ByteStream;
  readonly #onError: (error: unknown) => void;
  #waiting: Uint8Array[] = [];
  #written: Deferred<void> = deferred();
  #isBusy = false;

  /** @param first bytes that go out with the first frame, not before */
  constructor(stream: ByteStream, first: Uint8Array, onError: (error: unknown) => void) {
    this.#stream = stream;
    this.#onError = onError;
    this.#waiting.push(first);
  }

  /** Settles when the frame is written, if it ever is. Nobody need look at it. */
  write(frame: Uint8Array): Promise<void> {
    if (this.#waiting.length > MAX_WAITING)
      this.#onError(floodError("frames whose answers it does not take"));
    this.#waiting.push(frame);
    const written = this.#written.promise;
    if (!this.#isBusy) this.#run();
    return written;
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const [batch, written] = [this.#waiting, this.#written];
      this.#waiting = [];
      this.#written = deferred();
      try {
        await this.#stream.write(batch.length === 1 ? (batch[0] as Uint8Array) : concat(...batch));
        written.resolve();
      } catch (error) {
        written.reject(toTorError(error));
        // The writer stays busy: what comes later is not written any more.
        return this.#onError(error);
      }
    }
    this.#isBusy = false;
  }
}
