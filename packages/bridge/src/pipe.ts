// One client's WebSocket joined to one relay's TCP socket: the destination frame, the dial, bytes both ways with
// back-pressure, timeouts, and a close code for whatever ends it. Specified in docs/protocol/bridge.md.

import type { Socket } from "node:net";
import { type RelayAddress, TorError } from "@allium/core";
import type { RawData, WebSocket } from "ws";
import type { BridgeLimits } from "./limits.ts";
import { type DialledSocket, dialSocket } from "./node-dialer.ts";
import { CLOSE, closeReason, MAX_MESSAGE, parseDestination } from "./shared/protocol.ts";

/** What the pipe asks of the bridge it belongs to. */
export interface PipeContext {
  readonly limits: BridgeLimits;
  /** Undefined when the destination may be dialled, otherwise the refusal. */
  refuse(destination: RelayAddress): { code: number; reason: string } | undefined;
  onEnd(pipe: Pipe): void;
}

export class Pipe {
  readonly #ws: WebSocket;
  readonly #context: PipeContext;
  readonly #abort = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  #socket: Socket | undefined;
  /** Client bytes that wait for the dial, at most one message above MAX_MESSAGE. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  /** Relay bytes that wait for the WebSocket; they leave in messages of up to MAX_MESSAGE. */
  #toClient: Uint8Array[] = [];
  #toClientBytes = 0;
  #sending = false;
  #relayEnded = false;
  #destinationSeen = false;
  /** Our close frame is out: nothing more is taken from the client. */
  #closing = false;
  #ended = false;
  #lastActivity = performance.now();
  #unansweredPings = 0;

  constructor(ws: WebSocket, context: PipeContext) {
    this.#ws = ws;
    this.#context = context;
    const { firstFrameTimeout, pingInterval, idleTimeout } = context.limits;
    ws.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    ws.on("close", () => this.#finish());
    // `ws` reports protocol errors here and closes by itself with the right code (1002, 1007, 1009).
    ws.on("error", () => {});
    ws.on("pong", () => {
      this.#unansweredPings = 0;
    });
    this.#after(firstFrameTimeout, () => {
      if (!this.#destinationSeen) this.end(CLOSE.timeout, "no destination in time");
    });
    this.#every(pingInterval, () => this.#ping());
    this.#every(Math.max(idleTimeout / 4, 10), () => {
      if (performance.now() - this.#lastActivity >= idleTimeout) this.end(CLOSE.timeout, "idle");
    });
  }

  /** Closes both sides; the code and the reason are what the client reads. */
  end(code: number, reason: string): void {
    if (this.#closing || this.#ended) return;
    this.#closing = true;
    this.#ws.close(code, closeReason(reason));
    // A paused WebSocket would never see the client's answer.
    this.#ws.resume();
    // A client that does not answer the close is not waited for.
    this.#after(2_000, () => this.#ws.terminate());
    this.#cutRelay();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#closing) return;
    if (!isBinary) return this.end(CLOSE.textFrame, "text frames are not part of the protocol");
    const bytes = data as Buffer;
    // No bytes for the relay: they must neither pile up during the dial nor keep an idle pipe alive.
    if (this.#destinationSeen && bytes.length === 0) return;
    this.#lastActivity = performance.now();
    if (!this.#destinationSeen) {
      this.#destinationSeen = true;
      void this.#connect(bytes);
    } else if (this.#socket === undefined) {
      this.#early.push(bytes);
      this.#earlyBytes += bytes.length;
      if (this.#earlyBytes >= MAX_MESSAGE) this.#ws.pause();
    } else if (!this.#socket.write(bytes)) {
      this.#ws.pause();
    }
  }

  async #connect(frame: Uint8Array): Promise<void> {
    const destination = parseDestination(frame);
    if (destination === undefined)
      return this.end(CLOSE.badDestination, "the first message is not a destination");
    const refusal = this.#context.refuse(destination);
    if (refusal !== undefined) return this.end(refusal.code, refusal.reason);
    try {
      const dialled = await dialSocket(destination, this.#context.limits.dialTimeout, this.#abort.signal);
      if (this.#closing || this.#ended) dialled.socket.destroy();
      else this.#join(dialled);
    } catch (error) {
      const timedOut = error instanceof TorError && error.code === "ALLIUM_E_DIAL_TIMEOUT";
      this.end(
        timedOut ? CLOSE.timeout : CLOSE.relayUnreachable,
        timedOut ? "dial timeout" : "the relay refused the connection",
      );
    }
  }

  #join({ socket, readTo }: DialledSocket): void {
    this.#socket = socket;
    readTo((chunk) => this.#onRelayData(chunk));
    socket.on("drain", () => this.#ws.resume());
    socket.on("end", () => {
      this.#relayEnded = true;
      this.#flush();
    });
    socket.on("error", () => this.end(CLOSE.relayUnreachable, "the connection to the relay broke"));
    for (const chunk of this.#early) socket.write(chunk);
    this.#early = [];
    if (!socket.writableNeedDrain) this.#ws.resume();
  }

  #onRelayData(chunk: Uint8Array): void {
    this.#lastActivity = performance.now();
    this.#toClient.push(chunk);
    this.#toClientBytes += chunk.length;
    if (this.#toClientBytes >= this.#context.limits.bufferHigh) this.#socket?.pause();
    this.#flush();
  }

  /** One message at a time is on its way; what arrives meanwhile is coalesced, since a message costs a page 80 µs or more. */
  #flush(): void {
    if (this.#sending) return;
    if (this.#toClientBytes === 0) {
      if (this.#relayEnded) this.end(CLOSE.normal, "the relay closed the connection");
      return;
    }
    const message = this.#nextMessage();
    this.#sending = true;
    this.#ws.send(message, () => {
      this.#sending = false;
      if (this.#ended) return;
      if (this.#toClientBytes <= this.#context.limits.bufferLow) this.#socket?.resume();
      this.#flush();
    });
  }

  #nextMessage(): Uint8Array {
    const parts: Uint8Array[] = [];
    let room = MAX_MESSAGE;
    while (room > 0) {
      const chunk = this.#toClient[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, room);
      parts.push(part);
      room -= part.length;
      if (part.length === chunk.length) this.#toClient.shift();
      else this.#toClient[0] = chunk.subarray(part.length);
    }
    this.#toClientBytes -= MAX_MESSAGE - room;
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  }

  #ping(): void {
    if (this.#unansweredPings >= 2) {
      this.#ws.terminate();
      return;
    }
    this.#unansweredPings++;
    this.#ws.ping();
  }

  #cutRelay(): void {
    this.#abort.abort();
    this.#early = [];
    this.#toClient = [];
    this.#toClientBytes = 0;
    if (this.#socket !== undefined) endSocket(this.#socket, this.#context.limits.relayFlushTimeout);
    this.#socket = undefined;
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#cutRelay();
    this.#context.onEnd(this);
  }

  #after(ms: number, fn: () => void): void {
    this.#timers.add(setTimeout(fn, ms).unref());
  }

  #every(ms: number, fn: () => void): void {
    this.#timers.add(setInterval(fn, ms).unref());
  }
}

/** Lets the relay take what is written, but does not wait for one that takes nothing. */
function endSocket(socket: Socket, flushTimeout: number): void {
  const timer = setTimeout(() => socket.destroy(), flushTimeout).unref();
  socket.once("close", () => clearTimeout(timer));
  socket.destroySoon();
}
