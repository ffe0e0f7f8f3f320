// Two Duplexes that are each other's far ends, in memory and with back-pressure.

import { type Deferred, deferred } from "../base/abort.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Duplex } from "../base/ports.ts";

/** One direction: what is written at one end is read at the other. */
class Lane {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly #onEnd: () => void;
  #reader!: ReadableStreamDefaultController<Uint8Array>;
  #writer!: WritableStreamDefaultController;
  /** Settled when the reader wants more. */
  #wanted: Deferred<void> = deferred();
  #over = false;

  constructor(highWaterMark: number, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#reader = controller;
        },
        pull: () => this.#wanted.resolve(),
        cancel: () => this.end(gone()),
      },
      { highWaterMark, size: (chunk) => chunk.length },
    );
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#writer = controller;
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.end(),
      abort: (reason) => this.end(toTorError(reason)),
    });
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Ends this direction: what was written can still be read, unless there is an error. */
  end(error?: TorError): void {
    if (this.#over) return;
    this.#over = true;
    if (error === undefined) this.#reader.close();
    else this.#reader.error(error);
    this.#wanted.resolve();
    this.#onEnd();
  }

  /** Takes the pipe away from the writer. */
  stopWriter(error: TorError): void {
    this.#writer.error(error);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (this.#over) throw gone();
    this.#wanted = deferred();
    this.#reader.enqueue(Uint8Array.from(chunk));
    if ((this.#reader.desiredSize ?? 0) <= 0) await this.#wanted.promise;
  }
}

function gone(): TorError {
  return new TorError("aborted", "ALLIUM_E_CLOSED", "the pipe is closed");
}

/** @param highWaterMark bytes that a direction holds before its writer waits */
export function duplexPair(highWaterMark = 65536): [Duplex, Duplex] {
  const closed = deferred();
  const finish = () => {
    if (there.isOver && back.isOver) closed.resolve();
  };
  const there = new Lane(highWaterMark, finish);
  const back = new Lane(highWaterMark, finish);
  const close = (reason?: unknown) => {
    const error = reason === undefined ? undefined : toTorError(reason);
    if (error !== undefined) closed.reject(error);
    for (const lane of [there, back]) {
      lane.end(error);
      lane.stopWriter(error ?? gone());
    }
  };
  return [
    { readable: back.readable, writable: there.writable, closed: closed.promise, close },
    { readable: there.readable, writable: back.writable, closed: closed.promise, close },
  ];
}
