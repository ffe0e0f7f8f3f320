// A stream that takes data before any exit is connected (proposal 181): what is written goes out right behind BEGIN, and once
// more on the next circuit where the first exit could not connect. Until an exit says CONNECTED an honest one has let nothing
// reach the destination, so nothing is delivered twice.

import { abortable, type Deferred, deferred } from "../base/abort.ts";
import { badApiUsage, isTorError, type TorError } from "../base/errors.ts";
import type { TorStream } from "../circuit/api.ts";

/** Bytes kept to be sent again: below a stream's window, and below what makes an exit say XOFF (500 cells). */
const MAX_KEPT = 64 * 1024;

export class OptimisticStream implements TorStream {
  readonly #connected: Deferred<void> = deferred<void>();
  readonly #closed: Deferred<TorError | undefined> = deferred<TorError | undefined>();
  readonly #abort = new AbortController();
  /** Written before CONNECTED, in order; undefined from then on. */
  #kept: Uint8Array[] | undefined = [];
  #keptBytes = 0;
  /** The stream of the try under way, and whatever is being written to it. */
  #stream: TorStream | undefined;
  #sent: Promise<void> = Promise.resolve();

  /** Aborts when the user has closed the stream. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get remoteAddress(): Uint8Array | undefined {
    return this.#stream?.remoteAddress;
  }

  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  get closed(): Promise<TorError | undefined> {
    return this.#closed.promise;
  }

  async read(): Promise<Uint8Array | undefined> {
    await this.#connected.promise;
    return (this.#stream as TorStream).read();
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#abort.signal.aborted) throw streamClosed();
    if (this.#kept !== undefined && this.#keptBytes + data.length <= MAX_KEPT) {
      this.#kept.push(data);
      this.#keptBytes += data.length;
      this.#send([data]);
      return;
    }
    await this.#connected.promise;
    await this.#sent;
    await (this.#stream as TorStream).write(data);
  }

  close(reason?: unknown): void {
    const error = isTorError(reason) ? reason : undefined;
    this.#abort.abort(reason);
    this.#stream?.close(reason);
    this.#fail(error ?? streamClosed(), error);
  }

  /** Makes a try: sends what was written so far. Settles when the exit is connected; rejects with why it is not. */
  async tryOn(stream: TorStream, signal: AbortSignal): Promise<void> {
    this.#stream = stream;
    this.#sent = Promise.resolve();
    this.#send(this.#kept ?? []);
    await abortable(stream.connected, signal);
  }

  /** The last try was the right one. */
  succeed(): void {
    this.#kept = undefined;
    this.#connected.resolve();
    this.#stream?.closed.then((error) => this.#closed.resolve(error));
  }

  /** There will be no further try. */
  fail(error: TorError): void {
    this.#fail(error, error);
  }

  #fail(error: TorError, closedWith: TorError | undefined): void {
    this.#kept = undefined;
    this.#connected.reject(error);
    this.#closed.resolve(closedWith);
  }

  /** In order, behind what is being written. A failure shows in `connected`, or where the user reads. */
  #send(pieces: readonly Uint8Array[]): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const all = [...pieces];
    this.#sent = this.#sent
      .then(async () => {
        for (const piece of all) await stream.write(piece);
      })
      .catch(() => {});
  }
}

function streamClosed(): TorError {
  return badApiUsage("ALLIUM_E_STREAM_CLOSED", "the stream is closed");
}
