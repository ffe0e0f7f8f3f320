// A socket's Web Streams over one stream of Tor's, plain or through TLS; and how one hands its connection on at startTls().

import { abortable, deferred, onAbort, throwIfAborted } from "../base/abort.ts";
import { formatSocketAddress } from "../base/address.ts";
import { badApiUsage, type TorError, toTorError } from "../base/errors.ts";
import type { TorStream } from "../circuit/api.ts";
import type { SecureStream } from "./api.ts";
import { ownBuffer } from "./own-buffer.ts";
import type { TorSocket, TorSocketInfo } from "./socket-api.ts";

export interface SocketParts {
  readonly port: number;
  readonly secureTransport: "off" | "on" | "starttls";
  readonly signal: AbortSignal | undefined;
  open(signal: AbortSignal): Promise<TorStream | SecureStream>;
  secure(stream: TorStream, signal: AbortSignal): Promise<SecureStream>;
}

export class Socket implements TorSocket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
  readonly opened: Promise<TorSocketInfo>;
  readonly secureTransport: "off" | "on" | "starttls";
  readonly #parts: SocketParts;
  readonly #closed = deferred();
  readonly #abort = new AbortController();
  readonly #stream: Promise<TorStream>;
  #forget = () => {};
  #ended = false;
  #upgraded = false;
  #source: ReadableStreamDefaultController<Uint8Array> | undefined;
  #sink: WritableStreamDefaultController | undefined;
  /** What is under way, for a successor to take over or to wait for. */
  #reading: Promise<Uint8Array | undefined> | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(parts: SocketParts) {
    this.#parts = parts;
    this.secureTransport = parts.secureTransport;
    this.#stream = this.#open();
    this.opened = this.#stream.then(async (stream) => {
      await stream.connected;
      return socketInfo(stream, parts.port);
    });
    this.opened.catch((error) => this.#end(toTorError(error)));
    this.readable = this.#makeReadable();
    this.writable = this.#makeWritable();
    this.#forget = onAbort(parts.signal, (error) => this.#end(error));
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get upgraded(): boolean {
    return this.#upgraded;
  }

  startTls(): TorSocket {
    if (this.secureTransport !== "starttls" || this.#ended)
      throw badApiUsage("ALLIUM_E_SOCKET_STARTTLS", 'only an open socket of "starttls" can start TLS, once');
    this.#upgraded = true;
    this.#end();
    const handedOver = this.#handOver();
    handedOver.catch(() => {});
    const { secure } = this.#parts;
    return new Socket({
      ...this.#parts,
      secureTransport: "on",
      open: async (signal) => {
        onAbort(signal, (error) => this.#abort.abort(error));
        return secure(await handedOver, signal);
      },
    });
  }

  close(reason?: unknown): Promise<void> {
    this.#end(undefined, reason);
    return this.closed;
  }

  /** The stream once all that was written here is on its way; its next bytes are those that were being read. */
  async #handOver(): Promise<TorStream> {
    const stream = await this.#stream;
    let reading = this.#reading;
    await this.#writing;
    return {
      ...{ connected: stream.connected, closed: stream.closed, remoteAddress: stream.remoteAddress },
      read: () => {
        const bytes = reading ?? stream.read();
        reading = undefined;
        return bytes;
      },
      write: (data) => stream.write(data),
      close: (reason) => stream.close(reason),
    };
  }

  async #open(): Promise<TorStream> {
    throwIfAborted(this.#parts.signal);
    const { signal } = this.#abort;
    const opening = this.#parts.open(signal);
    try {
      const stream = await abortable(opening, signal);
      stream.closed.then((error) => this.#settle(error));
      return stream;
    } catch (error) {
      opening.then((late) => late.close(error)).catch(() => {});
      throw error;
    }
  }

  #makeReadable(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#source = controller;
        },
        pull: (controller) => this.#pull(controller),
        cancel: (reason) => {
          this.#source = undefined;
          this.#end(undefined, reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const stream = await this.#stream;
      if (this.#ended) return;
      this.#reading = stream.read();
      const bytes = await this.#reading;
      this.#reading = undefined;
      if (this.#ended) return;
      if (bytes === undefined) this.#end();
      else controller.enqueue(ownBuffer(bytes));
    } catch (error) {
      this.#end(toTorError(error));
    }
  }

  #makeWritable(): WritableStream<ArrayBuffer | ArrayBufferView> {
    return new WritableStream<ArrayBuffer | ArrayBufferView>({
      start: (controller) => {
        this.#sink = controller;
      },
      write: async (chunk) => {
        // Copied, since the stream may still hold it when the writer's promise has settled.
        const bytes = bytesOf(chunk).slice();
        const writing = this.#stream.then((stream) => stream.write(bytes));
        this.#writing = writing.catch(() => {});
        try {
          await writing;
        } catch (thrown) {
          const error = toTorError(thrown);
          this.#settle(error);
          throw error;
        }
      },
      abort: (reason) => this.#end(undefined, reason),
    });
  }

  /** Ends both directions at once: with an error, or cleanly. A connection that was handed on is its new owner's to end. */
  #end(error?: TorError, reason?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const cause = error ?? reason;
    this.#forget();
    if (!this.#upgraded) {
      this.#abort.abort(cause);
      this.#stream.then((stream) => stream.close(cause)).catch(() => {});
    }
    this.#settle(error);
    if (error === undefined) this.#source?.close();
    else this.#source?.error(error);
  }

  /** Nothing can be sent any more, and `closed` says why. What has arrived before can still be read. */
  #settle(error: TorError | undefined): void {
    this.#sink?.error(error ?? badApiUsage("ALLIUM_E_SOCKET_CLOSED", "the socket is closed"));
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
  }
}

function socketInfo(stream: TorStream | SecureStream, port: number): TorSocketInfo {
  const { remoteAddress: address } = stream;
  const alpn = "applicationProtocol" in stream ? stream.applicationProtocol : undefined;
  return {
    ...(address && {
      remoteAddress: formatSocketAddress({ family: address.length === 4 ? 4 : 6, address, port }),
    }),
    ...(alpn !== undefined && { alpn }),
  };
}

/** What was written, as bytes. @throws TorError `bad-api-usage` for anything else */
export function bytesOf(chunk: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw badApiUsage("ALLIUM_E_SOCKET_CHUNK", "a socket takes ArrayBuffers and views of them");
}
