// A socket, in the page. As core's in all that it does; see net/socket.ts there.

import {
  isTorError,
  type SocketAddress,
  type TorError,
  type TorSocket,
  type TorSocketInfo,
  type TorSocketOptions,
} from "@allium/core";
import {
  abortedError,
  badApiUsage,
  bytesOf,
  deferred,
  onAbort,
  socketDestination,
  throwIfAborted,
  toTorError,
} from "@allium/core/internal";
import { misfit } from "./check.ts";
import type { Connection, OperationAnswer, PageOperation } from "./connection.ts";
import { fromPlainError } from "./errors.ts";
import type { Request } from "./protocol.ts";
import { ByteReceiver } from "./receiver.ts";
import { ByteSender } from "./sender.ts";

export interface SocketParts {
  readonly secureTransport: TorSocket["secureTransport"];
  readonly signal: AbortSignal | undefined;
  /** The message that begins it. */
  begin(id: number): Extract<Request, { type: "connect" | "startTls" }>;
}

/** @throws TorError `bad-api-usage` for arguments that can never work */
export function remoteConnect(
  connection: Connection,
  views: readonly string[],
  address: SocketAddress,
  options: TorSocketOptions = {},
): TorSocket {
  const { hostname, port, secureTransport, serverName: sni, alpn } = socketDestination(address, options);
  const { isolation, signal } = options;
  const request = { type: "connect", views, isolation, hostname, port, secureTransport, sni, alpn } as const;
  return new RemoteSocket(connection, { secureTransport, signal, begin: (id) => ({ ...request, id }) });
}

class RemoteSocket implements TorSocket, PageOperation {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
  readonly secureTransport: TorSocket["secureTransport"];
  readonly #connection: Connection;
  readonly #parts: SocketParts;
  readonly #received: ByteReceiver;
  readonly #sender: ByteSender;
  readonly #opened = deferred<TorSocketInfo>();
  readonly #closed = deferred();
  readonly #drained = deferred();
  #forget = () => {};
  #sink: WritableStreamDefaultController | undefined;
  #id: number | undefined;
  #ended = false;
  #upgraded = false;
  #readDone = false;
  #closeDone = false;

  constructor(connection: Connection, parts: SocketParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.secureTransport = parts.secureTransport;
    this.#received = new ByteReceiver({
      ...{ pool: connection.pool, turn: connection.turn },
      grant: (bytes) => this.#about((id) => connection.post({ type: "credit", id, bytes })),
      cancel: (reason) => this.#end(undefined, reason),
    });
    this.#sender = new ByteSender(
      (bytes) => this.#about((id) => connection.post({ type: "data", id, bytes }, [bytes])),
      () => connection.turn.nextTask(),
    );
    this.readable = this.#received.readable;
    this.writable = this.#makeWritable();
    try {
      throwIfAborted(parts.signal);
      this.#id = connection.begin(this, parts.begin);
    } catch (error) {
      this.#end(toTorError(error));
    }
    if (!this.#ended) this.#forget = onAbort(parts.signal, (error) => this.#end(error));
  }

  get opened(): Promise<TorSocketInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get upgraded(): boolean {
    return this.#upgraded;
  }

  startTls(): TorSocket {
    const socket = this.#id;
    if (this.secureTransport !== "starttls" || this.#ended || socket === undefined)
      throw badApiUsage("ALLIUM_E_SOCKET_STARTTLS", 'only an open socket of "starttls" can start TLS, once');
    this.#sender.flush();
    const { signal } = this.#parts;
    const begin = (id: number) => ({ type: "startTls", id, socket }) as const;
    const secured = new RemoteSocket(this.#connection, { begin, secureTransport: "on", signal });
    // Its connection is the new socket's now.
    this.#upgraded = true;
    this.#connection.finish(socket);
    this.#end();
    return secured;
  }

  close(reason?: unknown): Promise<void> {
    this.#end(undefined, reason);
    return this.closed;
  }

  take(answer: OperationAnswer): void {
    switch (answer.type) {
      case "opened":
        return this.#opened.resolve(answer.info);
      case "data":
        return this.#received.push(answer.bytes);
      case "end":
        this.#received.end();
        this.#readDone = true;
        return this.#settle();
      case "error":
        this.#received.end(fromPlainError(answer.error));
        this.#readDone = true;
        return this.#settle();
      case "closed":
        this.#close(answer.error && fromPlainError(answer.error));
        this.#closeDone = true;
        return this.#settle();
      case "credit":
        return this.#sender.grant(answer.bytes);
      case "drained":
        return this.#drained.resolve();
      case "stop":
        return this.#sender.stop();
      default:
        throw misfit("an answer that does not fit a socket");
    }
  }

  lost(error: TorError): void {
    this.#end(error);
  }

  #makeWritable(): WritableStream<ArrayBuffer | ArrayBufferView> {
    return new WritableStream<ArrayBuffer | ArrayBufferView>({
      start: (controller) => {
        this.#sink = controller;
      },
      write: (chunk) => this.#sender.write(bytesOf(chunk), false),
      close: () => {
        this.#sender.flush();
        this.#about((id) => this.#connection.post({ type: "end", id }));
        return this.#drained.promise;
      },
      abort: (reason) => this.#end(undefined, reason),
    });
  }

  /** Ends both directions at once: with an error, or cleanly. */
  #end(error?: TorError, reason?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#upgraded) this.#about((id) => this.#connection.abort(id));
    this.#forget();
    this.#opened.reject(error ?? (isTorError(reason) ? reason : abortedError(reason)));
    this.#close(error);
    this.#received.break(error);
  }

  /** Nothing can be sent any more, and `closed` says why. What has arrived before can still be read. */
  #close(error: TorError | undefined): void {
    const closed = badApiUsage("ALLIUM_E_SOCKET_CLOSED", "the socket is closed");
    this.#sender.stop();
    this.#sink?.error(error ?? closed);
    this.#drained.reject(error ?? closed);
    this.#opened.reject(error ?? closed);
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
  }

  /** The worker has said all that it will say. */
  #settle(): void {
    if (!this.#readDone || !this.#closeDone) return;
    this.#about((id) => this.#connection.finish(id));
    this.#forget();
  }

  #about(use: (id: number) => void): void {
    if (this.#id !== undefined) use(this.#id);
  }
}
