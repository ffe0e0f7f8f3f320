// In-process byte pipes for the tests of this room.

import { deferred } from "../../src/base/abort.ts";
import type { ByteStream, RecordStream } from "../../src/base/byte-stream.ts";
import { concat } from "../../src/base/bytes.ts";
import { TorError } from "../../src/base/errors.ts";

/** One direction of a pipe: writes wait while more than `highWater` bytes are unread. */
export class Lane {
  #chunks: Uint8Array[] = [];
  #size = 0;
  #ended = false;
  #error: unknown;
  #changed = deferred();
  readonly #highWater: number;

  constructor(highWater: number) {
    this.#highWater = highWater;
  }

  get size(): number {
    return this.#size;
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#size -= chunk.length;
        this.#notify();
        return chunk;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await this.#changed.promise;
    }
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    if (this.#ended) throw new TorError("aborted", "ALLIUM_E_TEST_PIPE_CLOSED", "the pipe is closed");
    this.#chunks.push(data.slice());
    this.#size += data.length;
    this.#notify();
    while (this.#size > this.#highWater && !this.#ended && this.#error === undefined)
      await this.#changed.promise;
    if (this.#error !== undefined) throw this.#error;
  }

  end(error?: unknown): void {
    this.#ended = true;
    this.#error ??= error;
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = deferred();
  }
}

export interface PipeEnd extends RecordStream {
  readonly closedWith: unknown;
  readonly isClosed: boolean;
  /** Bytes written here that the other end has not read. */
  readonly unread: number;
  /** Ends only the direction away from here, as a half-closed TCP connection does. */
  endWrites(): void;
}

function makeEnd(incoming: Lane, outgoing: Lane): PipeEnd {
  let isClosed = false;
  let closedWith: unknown;
  return {
    get closedWith() {
      return closedWith;
    },
    get isClosed() {
      return isClosed;
    },
    get unread() {
      return outgoing.size;
    },
    read: () => incoming.read(),
    async readPieces() {
      const piece = await incoming.read();
      return piece && [piece];
    },
    write: (data) => outgoing.write(data),
    endWrites: () => outgoing.end(),
    close(reason) {
      if (isClosed) return;
      isClosed = true;
      closedWith = reason;
      incoming.end(reason);
      outgoing.end();
    },
  };
}

/** Two ends of one pipe. */
export function pipePair(highWater = 2 ** 20): [PipeEnd, PipeEnd] {
  const forth = new Lane(highWater);
  const back = new Lane(highWater);
  return [makeEnd(back, forth), makeEnd(forth, back)];
}

/** Reads exactly `length` bytes and keeps what is left over for the next call. */
export class ExactReader {
  #held: Uint8Array = new Uint8Array(0);
  readonly #pipe: ByteStream;

  constructor(pipe: ByteStream) {
    this.#pipe = pipe;
  }

  async take(length: number): Promise<Uint8Array> {
    while (this.#held.length < length) {
      const chunk = await this.#pipe.read();
      if (chunk === undefined) throw new Error("the pipe ended");
      this.#held = concat(this.#held, chunk);
    }
    const bytes = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return bytes;
  }
}

/** A pipe that delivers `bytes` in chunks of `size`, then ends, and collects what is written. */
export function recordedPipe(bytes: Uint8Array, size = bytes.length): ByteStream & { written: Uint8Array[] } {
  let at = 0;
  const written: Uint8Array[] = [];
  return {
    written,
    async read() {
      if (at >= bytes.length) return undefined;
      at += size;
      return bytes.slice(at - size, at);
    },
    async write(data) {
      written.push(data);
    },
    close() {},
  };
}
