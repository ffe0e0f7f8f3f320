// The receiving end of a stream of bytes over a port: a ReadableStream whose reader gives the other side credit by reading.

import { type Deferred, deferred } from "@allium/core/internal";
import { misfit } from "./check.ts";
import { FIRST_WINDOW, FULL_WINDOW, WINDOW_POOL } from "./protocol.ts";
import type { Turn } from "./turn.ts";

/** What the windows of one port may have above their first size, together. */
export class WindowPool {
  #left = WINDOW_POOL;

  take(bytes: number): number {
    const taken = Math.min(bytes, this.#left);
    this.#left -= taken;
    return taken;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

export interface ReceiverOptions {
  readonly pool: WindowPool;
  /** Bounds what one task hands over. */
  readonly turn?: Turn;
  /** Lets the other side send so many bytes more. */
  readonly grant: (bytes: number) => void;
  /** The reader has given up; nothing more is wanted. */
  readonly cancel: (reason: unknown) => void;
}

export class ByteReceiver {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #options: ReceiverOptions;
  #source: ReadableStreamDefaultController<Uint8Array> | undefined;
  #queue: Uint8Array[] = [];
  #window = FIRST_WINDOW;
  /** Bytes that the other side may still send. */
  #credit = FIRST_WINDOW;
  /** Bytes read and not yet given back as credit. */
  #read = 0;
  #over = false;
  #failure: unknown;
  #news: Deferred<void> = deferred();

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#source = controller;
        },
        pull: () => this.#pull(),
        cancel: (reason) => {
          this.#source = undefined;
          this.#drop();
          options.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** @throws TorError `protocol-violation` for more than there was credit for, or bytes after the end */
  push(bytes: ArrayBuffer): void {
    this.#credit -= bytes.byteLength;
    if (this.#credit < 0) throw misfit("more bytes than it had credit for");
    if (this.#source === undefined) return;
    if (this.#over) throw misfit("bytes after the end of their stream");
    this.#queue.push(new Uint8Array(bytes));
    this.#tell();
  }

  /** No more will come; what has come can still be read, and then `failure` if there is one. */
  end(failure?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    this.#release();
    this.#tell();
  }

  /** Ends at once: what was not read is dropped. Without an error the stream just closes. */
  break(error?: unknown): void {
    const source = this.#source;
    this.#source = undefined;
    this.#drop();
    if (error !== undefined) source?.error(error);
    else source?.close();
  }

  async #pull(): Promise<void> {
    while (this.#queue.length === 0 && !this.#over) await this.#news.promise;
    const [chunk] = this.#queue;
    if (chunk !== undefined) await this.#options.turn?.take(chunk.length);
    // Broken or cancelled meanwhile.
    if (this.#source === undefined) return;
    if (chunk !== undefined) {
      this.#queue.shift();
      this.#source.enqueue(chunk);
      this.#consumed(chunk.length);
      return;
    }
    if (this.#failure !== undefined) this.#source.error(this.#failure);
    else this.#source.close();
    this.#source = undefined;
  }

  #consumed(bytes: number): void {
    if (this.#over) return;
    this.#read += bytes;
    if (this.#read < this.#window / 4) return;
    const raise = this.#options.pool.take(FULL_WINDOW - this.#window);
    const credit = this.#read + raise;
    this.#window += raise;
    this.#credit += credit;
    this.#read = 0;
    this.#options.grant(credit);
  }

  #drop(): void {
    this.#queue = [];
    this.#over = true;
    this.#release();
    this.#tell();
  }

  /** Gives back to the pool, once. */
  #release(): void {
    this.#options.pool.give(this.#window - FIRST_WINDOW);
    this.#window = FIRST_WINDOW;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = deferred();
  }
}
