// TCP through Tor in the shape of the WinterTC sockets API (https://sockets-api.proposal.wintertc.org/).
// Not here yet: TLS to the destination.

import { abortable, deferred, onAbort, throwIfAborted } from "../base/abort.ts";
import { formatSocketAddress } from "../base/address.ts";
import { badApiUsage, type TorError, toTorError } from "../base/errors.ts";
import type { TorStream } from "../circuit/api.ts";
import type { StreamOpener } from "./api.ts";
import { type Destination, parseDestination } from "./host.ts";
import { ownBuffer } from "./own-buffer.ts";

export interface TorSocketOptions {
  readonly secureTransport?: "off" | "on" | "starttls";
  /** Only false: an END ends a Tor stream in both directions, so nothing could be sent after the peer's. */
  readonly allowHalfOpen?: false;
  /** Sockets with different keys never share a circuit. */
  readonly isolation?: string;
  /** Ends the socket, opened or not, with the signal's error. */
  readonly signal?: AbortSignal;
}

export interface TorSocketInfo {
  /** `ip:port` that the exit connected to, where it said so. */
  readonly remoteAddress?: string;
  /** Never known: it is the exit's. */
  readonly localAddress?: string;
}

/**
 * A socket. When the peer ends, `readable` closes, and with it the whole socket. Closing the writer waits for what was
 * written to be taken and sends nothing more, but the peer is not told before `close()`: Tor has no half-close, an END
 * in that moment would cut off the answer.
 */
export interface TorSocket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
  /** Fulfilled once the exit is connected. */
  readonly opened: Promise<TorSocketInfo>;
  /** Fulfilled after a clean end or `close()`, rejected with a TorError otherwise. */
  readonly closed: Promise<void>;
  readonly upgraded: boolean;
  readonly secureTransport: "off";
  /** Ends both directions at once; what was not yet taken is dropped. Returns `closed`. */
  close(reason?: unknown): Promise<void>;
}

/**
 * Opens a socket to `"host:port"` or `{ hostname, port }`; the returned socket may be used at once.
 * @throws TorError `bad-api-usage` for arguments that can never work
 */
export function connect(
  opener: StreamOpener,
  address: string | { hostname: string; port: number },
  options: TorSocketOptions = {},
): TorSocket {
  return new Socket(opener, socketDestination(address, options), options);
}

/** Where a socket goes, once its options are found possible. @throws TorError `bad-api-usage` */
export function socketDestination(
  address: string | { hostname: string; port: number },
  options: TorSocketOptions,
): Destination {
  const destination = parseDestination(address);
  const { secureTransport = "off", allowHalfOpen = false } = options;
  if (secureTransport !== "off") {
    throw badApiUsage("ALLIUM_E_SOCKET_TLS", `secureTransport "${secureTransport}" is not supported yet`);
  }
  if (allowHalfOpen) {
    throw badApiUsage("ALLIUM_E_SOCKET_HALF_OPEN", "allowHalfOpen is not possible: Tor has no half-close");
  }
  return destination;
}

class Socket implements TorSocket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
  readonly opened: Promise<TorSocketInfo>;
  readonly upgraded = false;
  readonly secureTransport = "off";
  readonly #closed = deferred();
  readonly #abort = new AbortController();
  readonly #stream: Promise<TorStream>;
  #forget = () => {};
  #ended = false;
  #source: ReadableStreamDefaultController<Uint8Array> | undefined;
  #sink: WritableStreamDefaultController | undefined;

  constructor(opener: StreamOpener, destination: Destination, options: TorSocketOptions) {
    this.#stream = this.#open(opener, destination, options);
    this.opened = this.#stream.then(async (stream) => {
      await stream.connected;
      return socketInfo(stream, destination.port);
    });
    this.opened.catch((error) => this.#end(toTorError(error)));
    this.readable = this.#makeReadable();
    this.writable = this.#makeWritable();
    this.#forget = onAbort(options.signal, (error) => this.#end(error));
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  close(reason?: unknown): Promise<void> {
    this.#end(undefined, reason);
    return this.closed;
  }

  async #open(
    opener: StreamOpener,
    { hostname, port }: Destination,
    options: TorSocketOptions,
  ): Promise<TorStream> {
    throwIfAborted(options.signal);
    const { signal } = this.#abort;
    const opening = opener.openStream({ hostname, port, isolation: options.isolation, signal });
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
        pull: async (controller) => {
          try {
            const bytes = await (await this.#stream).read();
            if (bytes === undefined) this.#end();
            else if (!this.#ended) controller.enqueue(ownBuffer(bytes));
          } catch (error) {
            this.#end(toTorError(error));
          }
        },
        cancel: (reason) => {
          this.#source = undefined;
          this.#end(undefined, reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  #makeWritable(): WritableStream<ArrayBuffer | ArrayBufferView> {
    return new WritableStream<ArrayBuffer | ArrayBufferView>({
      start: (controller) => {
        this.#sink = controller;
      },
      write: async (chunk) => {
        // Copied, since the stream may still hold it when the writer's promise has settled.
        const bytes = bytesOf(chunk).slice();
        try {
          await (await this.#stream).write(bytes);
        } catch (thrown) {
          const error = toTorError(thrown);
          this.#settle(error);
          throw error;
        }
      },
      abort: (reason) => this.#end(undefined, reason),
    });
  }

  /** Ends both directions at once: with an error, or cleanly. */
  #end(error?: TorError, reason?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const cause = error ?? reason;
    this.#forget();
    this.#abort.abort(cause);
    this.#stream.then((stream) => stream.close(cause)).catch(() => {});
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

function socketInfo(stream: TorStream, port: number): TorSocketInfo {
  const address = stream.remoteAddress;
  if (address === undefined) return {};
  return { remoteAddress: formatSocketAddress({ family: address.length === 4 ? 4 : 6, address, port }) };
}

/** What was written, as bytes. @throws TorError `bad-api-usage` for anything else */
export function bytesOf(chunk: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw badApiUsage("ALLIUM_E_SOCKET_CHUNK", "a socket takes ArrayBuffers and views of them");
}
