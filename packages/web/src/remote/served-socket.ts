// A page's socket, in the worker.

import type { TorClientLike, TorSocket } from "@allium/core";
import { badApiUsage } from "@allium/core/internal";
import { misfit } from "./check.ts";
import { toPlainError } from "./errors.ts";
import type { Request } from "./protocol.ts";
import { ByteReceiver } from "./receiver.ts";
import { ByteSender, sendAll, shortPause } from "./sender.ts";
import { type Served, type ServedOperation, viewOf } from "./served-operation.ts";

type ConnectRequest = Extract<Request, { type: "connect" }>;

/** A socket that a page asks for. */
export function serveConnect(served: Served, client: TorClientLike, request: ConnectRequest): ServedSocket {
  const { hostname, port, isolation, secureTransport, sni, alpn } = request;
  const abort = new AbortController();
  return new ServedSocket(served, abort, () =>
    viewOf(client, request.views).connect(
      { hostname, port },
      {
        ...{ signal: abort.signal, secureTransport },
        ...(isolation !== undefined && { isolation }),
        ...(sni !== undefined && { sni }),
        ...(alpn !== undefined && { alpn }),
      },
    ),
  );
}

export class ServedSocket implements ServedOperation {
  readonly #served: Served;
  readonly #abort: AbortController;
  readonly #sender: ByteSender;
  readonly #written: ByteReceiver;
  #socket: TorSocket | undefined;
  #upgraded = false;

  /** @param abort ends the socket */
  constructor(served: Served, abort: AbortController, open: () => TorSocket) {
    const { id } = served;
    this.#served = served;
    this.#abort = abort;
    this.#sender = new ByteSender((bytes) => served.post({ type: "data", id, bytes }, [bytes]), shortPause);
    this.#written = new ByteReceiver({
      pool: served.pool,
      grant: (bytes) => served.post({ type: "credit", id, bytes }),
      cancel: (reason) => this.#post({ type: "stop", id, error: toPlainError(reason) }),
    });
    void this.#run(open);
  }

  abort(): void {
    this.#abort.abort();
    this.#finish();
  }

  /** The same connection as another operation, through TLS; that one says so where it cannot be. */
  startTls(served: Served): ServedSocket {
    this.#upgraded = true;
    const secured = new ServedSocket(served, this.#abort, () => this.#socket?.startTls() ?? closedSocket());
    this.#finish();
    return secured;
  }

  credit(bytes: number): void {
    this.#sender.grant(bytes);
  }

  data(bytes: ArrayBuffer): void {
    this.#written.push(bytes);
  }

  end(): void {
    this.#written.end();
  }

  fail(): void {
    throw misfit("the failure of a socket, which has only an end");
  }

  #finish(): void {
    this.#sender.stop();
    this.#written.break(this.#abort.signal.reason);
    this.#served.done();
  }

  async #run(open: () => TorSocket): Promise<void> {
    const { id } = this.#served;
    try {
      const socket = open();
      this.#socket = socket;
      socket.opened.then(
        (info) => this.#post({ type: "opened", id, info }),
        () => {},
      );
      void this.#write(socket);
      await Promise.all([this.#watch(socket), this.#read(socket)]);
    } catch (error) {
      this.#post({ type: "closed", id, error: toPlainError(error) });
      this.#post({ type: "error", id, error: toPlainError(error) });
    }
    if (!this.#isOver) this.abort();
  }

  /** Tells the page when the socket is closed, and why. */
  async #watch(socket: TorSocket): Promise<void> {
    const { id } = this.#served;
    const error = await socket.closed.then(() => undefined, toPlainError);
    this.#post({ type: "closed", id, error });
    // Its writer may wait for credit; what has arrived can still be read.
    this.#written.break(error ?? new Error("closed"));
  }

  async #read(socket: TorSocket): Promise<void> {
    const { id } = this.#served;
    try {
      const reader = socket.readable.getReader();
      this.#abort.signal.addEventListener("abort", () => void reader.cancel().catch(() => {}));
      if (await sendAll(reader, this.#sender, true)) this.#post({ type: "end", id });
    } catch (error) {
      this.#post({ type: "error", id, error: toPlainError(error) });
    }
  }

  async #write(socket: TorSocket): Promise<void> {
    const { id } = this.#served;
    const reader = this.#written.readable.getReader();
    try {
      const writer = socket.writable.getWriter();
      writer.closed.catch(() => {});
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        await writer.write(value);
      }
      await writer.close();
      this.#post({ type: "drained", id });
    } catch (error) {
      // The socket says why by its `closed`.
      await reader.cancel(error).catch(() => {});
    }
  }

  #post(answer: Parameters<Served["post"]>[0]): void {
    if (!this.#isOver) this.#served.post(answer);
  }

  get #isOver(): boolean {
    return this.#upgraded || this.#abort.signal.aborted;
  }
}

/** For a page that did not know yet that its socket is over. @throws TorError `bad-api-usage` */
export function closedSocket(): never {
  throw badApiUsage("ALLIUM_E_SOCKET_CLOSED", "the socket is closed");
}
