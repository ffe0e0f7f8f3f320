// A WebSocket as core's Duplex: messages coalesced for the reader, writes held to the socket's own buffer.

import { type Duplex, TorError } from "@allium/core";
import { closeError } from "./close-codes.ts";

/** Most bytes of one message (docs/protocol/bridge.md). */
const MAX_MESSAGE = 65536;
/** Writes wait while the browser holds more than this. */
const WRITE_BUFFER = 512 * 1024;
/** A WebSocket cannot be told to wait, but Tor's windows bound what an honest relay sends; beyond this the bridge floods us. */
const READ_LIMIT = 32 * 1024 * 1024;
/** bufferedAmount tells no event; this many milliseconds is a frame's time. */
const POLL_INTERVAL = 4;

export class WebSocketDuplex implements Duplex {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;
  #received: Uint8Array[] = [];
  #receivedBytes = 0;
  #wakeReader: (() => void) | undefined;
  #ended = false;
  #error: unknown;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve, reject) => {
      socket.onclose = ({ code, reason }) => {
        this.#end(closeError(code, reason));
        if (this.#error === undefined) resolve();
        else reject(this.#error);
      };
    });
    this.closed.catch(() => {});
    socket.onmessage = ({ data }) => this.#onMessage(data);
    this.readable = new ReadableStream(
      { pull: (controller) => this.#pull(controller), cancel: () => this.close() },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream({
      write: (chunk) => this.#write(chunk),
      close: () => this.close(),
      abort: (reason) => this.close(reason),
    });
  }

  close(reason?: unknown): void {
    this.#received = [];
    this.#end(reason instanceof Error ? reason : undefined);
    this.#socket.close(1000);
  }

  #onMessage(data: unknown): void {
    if (this.#ended) return;
    if (!(data instanceof ArrayBuffer)) {
      return this.close(new TorError("protocol-violation", "ALLIUM_E_BRIDGE_TEXT", "the bridge sent text"));
    }
    this.#received.push(new Uint8Array(data));
    this.#receivedBytes += data.byteLength;
    if (this.#receivedBytes > READ_LIMIT) {
      return this.close(
        new TorError("limit", "ALLIUM_E_BRIDGE_FLOOD", "the bridge sends more than any relay would"),
      );
    }
    this.#wakeReader?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#received.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
      this.#wakeReader = undefined;
    }
    if (this.#received.length > 0) controller.enqueue(this.#take());
    else if (this.#error === undefined) controller.close();
    else controller.error(this.#error);
  }

  #take(): Uint8Array {
    const parts = this.#received.splice(0);
    const length = this.#receivedBytes;
    this.#receivedBytes = 0;
    if (parts.length === 1) return parts[0] as Uint8Array;
    const all = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += MAX_MESSAGE) {
      while (!this.#ended && this.#socket.bufferedAmount > WRITE_BUFFER) {
        await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
      }
      if (this.#ended) throw this.#error ?? closeError(1006, "");
      this.#socket.send(chunk.slice(at, at + MAX_MESSAGE));
    }
  }

  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wakeReader?.();
  }
}
