// A pipe to a relay over a bridge's WebSocket, as core's Duplex. The bridge gives no answer to a destination, so bytes
// are sent at once; until the first byte comes back they are kept, and go out again on another way to the same relay.

import { type Duplex, isTorError, TorError } from "@allium/core";
import { concat, type Deferred, deferred, toTorError } from "@allium/core/internal";
import type { Route } from "./route.ts";
import { closeError, MAX_MESSAGE, NORMAL_CLOSE } from "./wire.ts";

/** Bytes in the WebSocket's own buffer above which writing waits. */
const SEND_HIGH = 262_144;
/** Milliseconds between two looks at that buffer, for which there is no event: 64 MB/s at the most. */
const SEND_POLL = 4;
/** Bytes kept for another try; a TLS ClientHello is below 2 KiB. As much as a bridge keeps while it dials. */
const REPLAY_LIMIT = 65_536;
/**
 * Bytes received and not yet read. A WebSocket cannot be held back, but flow control holds back the relay: 1000 cells of 514
 * bytes for a circuit in fixed windows (tor-spec 7.3), 5000 at the end of slow start with congestion control. So this is what
 * 60 or 13 circuits that all run at full speed may have on the way while the page stands still. More is not Tor.
 */
const RECEIVE_LIMIT = 33_554_432;

export class BridgePipe implements Duplex {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly #route: Route;
  readonly #closed = deferred();
  readonly #abort = new AbortController();
  /** Undefined while another way is tried. */
  #socket: WebSocket | undefined;
  #received: Uint8Array[] = [];
  #receivedBytes = 0;
  /** What was sent so far, until that can no longer be taken back. */
  #replay: Uint8Array<ArrayBuffer>[] | undefined = [];
  #replayBytes = 0;
  #ended = false;
  #failure: TorError | undefined;
  /** Settles at the next thing that happens; whoever waits looks again. */
  #news: Deferred<void> = deferred();
  #source: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(socket: WebSocket, route: Route) {
    this.#route = route;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#source = controller;
        },
        pull: (controller) => this.#pull(controller),
        cancel: () => {
          this.#source = undefined;
          this.close();
        },
      },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream<Uint8Array>({
      write: (chunk) => this.#write(chunk),
      close: () => this.close(),
      abort: (reason) => this.close(reason),
    });
    this.#attach(socket);
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  close(reason?: unknown): void {
    if (this.#over) return;
    const failure = isTorError(reason) ? reason : undefined;
    this.#received = [];
    this.#end(failure);
    if (failure !== undefined) this.#source?.error(failure);
    else this.#source?.close();
    this.#source = undefined;
  }

  get #over(): boolean {
    return this.#ended || this.#failure !== undefined;
  }

  /** The pipe is gone; what was received before may still be read. */
  #end(failure?: TorError): void {
    if (this.#over) return;
    this.#ended = failure === undefined;
    this.#failure = failure;
    this.#replay = undefined;
    this.#abort.abort();
    this.#socket?.close(NORMAL_CLOSE);
    this.#socket = undefined;
    if (failure === undefined) this.#closed.resolve();
    else this.#closed.reject(failure);
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = deferred();
  }

  #attach(socket: WebSocket): void {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (this.#socket === socket) this.#receive(data);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (this.#socket === socket) this.#socketClosed(code, reason);
    });
    for (const message of this.#replay ?? []) socket.send(message);
    this.#tell();
  }

  #receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) {
      return this.#end(
        new TorError("protocol-violation", "ALLIUM_E_BRIDGE_TEXT", "the bridge sent a text message"),
      );
    }
    if (data.byteLength === 0) return;
    this.#replay = undefined;
    this.#receivedBytes += data.byteLength;
    if (this.#receivedBytes > RECEIVE_LIMIT) {
      return this.#end(
        new TorError("limit", "ALLIUM_E_BRIDGE_FLOOD", "the bridge sent more than any relay would be let to"),
      );
    }
    this.#received.push(new Uint8Array(data));
    this.#tell();
  }

  #socketClosed(code: number, reason: string): void {
    if (code === NORMAL_CLOSE) return this.#end();
    const error = closeError(code, reason);
    if (this.#replay === undefined || !this.#route.advance(code)) return this.#end(error);
    this.#socket = undefined;
    this.#route.open(this.#abort.signal).then(
      (socket) => {
        if (this.#over) socket.close(NORMAL_CLOSE);
        else this.#attach(socket);
      },
      (failure) => this.#end(toTorError(failure)),
    );
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#received.length === 0 && !this.#over) await this.#news.promise;
    // Closed from our side: the controller is settled.
    if (this.#source === undefined) return;
    if (this.#received.length > 0) {
      // All that is at hand as one chunk: a read costs more than a copy.
      const chunk =
        this.#received.length === 1 ? (this.#received[0] as Uint8Array) : concat(...this.#received);
      this.#received = [];
      this.#receivedBytes = 0;
      controller.enqueue(chunk);
    } else if (this.#failure !== undefined) {
      controller.error(this.#failure);
    } else {
      controller.close();
    }
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += MAX_MESSAGE) {
      const socket = await this.#writableSocket();
      // A copy only while it may have to be sent again.
      const message = chunk.subarray(at, at + MAX_MESSAGE) as Uint8Array<ArrayBuffer>;
      this.#keep(message);
      socket.send(message);
    }
  }

  /** The socket once it takes more. */
  async #writableSocket(): Promise<WebSocket> {
    for (;;) {
      if (this.#over) throw this.#failure ?? closedPipe();
      const socket = this.#socket;
      if (socket !== undefined && socket.bufferedAmount <= SEND_HIGH) return socket;
      await this.#newsOrPoll();
    }
  }

  /** What arrives is a reason to look, too: timers of a hidden page run once a second. */
  async #newsOrPoll(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, SEND_POLL);
    });
    await Promise.race([this.#news.promise, poll]);
    clearTimeout(timer);
  }

  #keep(message: Uint8Array<ArrayBuffer>): void {
    if (this.#replay === undefined) return;
    this.#replayBytes += message.length;
    if (this.#replayBytes > REPLAY_LIMIT) this.#replay = undefined;
    else this.#replay.push(message.slice());
  }
}

function closedPipe(): TorError {
  return new TorError("bridge-unreachable", "ALLIUM_E_BRIDGE_ENDED", "the connection to the relay has ended");
}
