// One stream of a circuit (tor-spec 6.2): what came and is not read yet, what is to be sent, and how it ended.
// Not here: cells, ids, and who may send when; the circuit does that.

import { type Deferred, deferred } from "../base/abort.ts";
import { isTorError, TorError } from "../base/errors.ts";
import type { TorStream } from "./api.ts";
import { END_REASON, streamEnded } from "./errors.ts";
import { StreamWindow } from "./flow/windows.ts";

/** What a stream asks of its circuit. */
export interface StreamHost {
  /** Sends a stream-level SENDME. */
  sendSendme(stream: CircuitStream): void;
  /** The stream has bytes to send. */
  wantsToSend(stream: CircuitStream): void;
  /** We close the stream: END goes out, what still comes is held to its budget. */
  closeStream(stream: CircuitStream): void;
}

/** Most that one read() hands over, in bytes; more waits for the next. */
const MAX_READ = 256 * 1024;

interface PendingWrite {
  readonly data: Uint8Array;
  offset: number;
  readonly done: Deferred<void>;
}

export class CircuitStream implements TorStream {
  readonly streamId: number;
  /** Index of the hop where the stream ends. */
  readonly hop: number;
  readonly window = new StreamWindow();
  remoteAddress: Uint8Array | undefined;
  readonly #host: StreamHost;
  readonly #connected = deferred();
  readonly #closed = deferred<TorError | undefined>();
  #wasConnected = false;
  #state: "connecting" | "open" | "ended" | "closed" = "connecting";
  /** Cells' payloads in order; bounded by the stream's window. */
  #inbound: Uint8Array[] = [];
  #reading: Deferred<Uint8Array | undefined> | undefined;
  /** Why reading ends, once the payloads are read; undefined for a clean end. */
  #endError: TorError | undefined;
  #writes: PendingWrite[] = [];

  constructor(host: StreamHost, streamId: number, hop: number) {
    this.#host = host;
    this.streamId = streamId;
    this.hop = hop;
  }

  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  get closed(): Promise<TorError | undefined> {
    return this.#closed.promise;
  }

  /** Whether CONNECTED ever came. */
  get wasConnected(): boolean {
    return this.#wasConnected;
  }

  get isConnecting(): boolean {
    return this.#state === "connecting";
  }

  get hasPending(): boolean {
    return this.#writes.length > 0;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#inbound.length > 0) return this.#take();
    if (this.#state === "ended" || this.#state === "closed") {
      if (this.#endError !== undefined) throw this.#endError;
      return undefined;
    }
    this.#reading ??= deferred();
    return this.#reading.promise;
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#state !== "open") throw this.#endError ?? streamOver();
    if (data.length === 0) return;
    const write = { data, offset: 0, done: deferred() };
    this.#writes.push(write);
    this.#host.wantsToSend(this);
    await write.done.promise;
  }

  close(reason?: unknown): void {
    if (this.#state === "closed") return;
    const wasEnded = this.#state === "ended";
    const error = isTorError(reason) ? reason : undefined;
    this.#inbound = [];
    if (!wasEnded) this.#endError = error;
    this.#state = "closed";
    if (!wasEnded) this.#host.closeStream(this);
    this.#settle(error);
  }

  /** The next payload to send, of at most `max` bytes. */
  takePayload(max: number): Uint8Array {
    const write = this.#writes[0] as PendingWrite;
    const payload = write.data.subarray(write.offset, write.offset + max);
    write.offset += payload.length;
    if (write.offset === write.data.length) {
      this.#writes.shift();
      write.done.resolve();
    }
    return payload;
  }

  onConnected(address: Uint8Array | undefined): void {
    this.remoteAddress = address;
    this.#state = "open";
    this.#wasConnected = true;
    this.#connected.resolve();
  }

  onData(payload: Uint8Array): void {
    this.#inbound.push(payload);
    if (this.#reading === undefined) return;
    const { resolve } = this.#reading;
    this.#reading = undefined;
    resolve(this.#take());
  }

  /** The exit ended the stream; what came before stays readable. */
  onEnd(reason: number): void {
    const clean = reason === END_REASON.done && this.#state !== "connecting";
    this.fail(clean ? undefined : streamEnded(reason));
  }

  /** The stream is over, cleanly or with an error, not by our own close. */
  fail(error: TorError | undefined): void {
    if (this.#state === "closed" || this.#state === "ended") return;
    this.#state = "ended";
    this.#endError = error;
    this.#settle(error);
  }

  #settle(error: TorError | undefined): void {
    this.#connected.reject(error ?? streamOver());
    for (const write of this.#writes.splice(0)) write.done.reject(error ?? streamOver());
    const reading = this.#reading;
    this.#reading = undefined;
    if (error === undefined) reading?.resolve(undefined);
    else reading?.reject(error);
    this.#closed.resolve(error);
  }

  #take(): Uint8Array {
    let length = 0;
    let cells = 0;
    while (cells < this.#inbound.length && length < MAX_READ)
      length += (this.#inbound[cells++] as Uint8Array).length;
    const parts = this.#inbound.splice(0, cells);
    if (this.#state === "open") {
      for (let due = this.window.consumed(cells); due > 0; due--) this.#host.sendSendme(this);
    }
    if (parts.length === 1) return parts[0] as Uint8Array;
    const all = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

function streamOver(): TorError {
  return new TorError("remote-refused", "ALLIUM_E_STREAM_CLOSED", "the stream is closed");
}
