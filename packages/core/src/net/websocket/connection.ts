// One WebSocket connection from its opening to its end (RFC 6455): opening handshake, messages both ways, closing handshake,
// each wait but the one for a message bounded. Not here: what a page sees of it.

import { abortable, deferred, onAbort, settledWithin, withTimeout } from "../../base/abort.ts";
import type { ByteStream } from "../../base/byte-stream.ts";
import { abortedError, type TorError, toTorError } from "../../base/errors.ts";
import type { Clock } from "../../base/ports.ts";
import { giveWay, Turn } from "../../base/turn.ts";
import type { SecureOpener, StreamRequest } from "../api.ts";
import { HttpInput } from "../http/input.ts";
import type { ReadyState } from "./api.ts";
import { bufferFull, closeCodeOf, timedOut } from "./errors.ts";
import { closePayload } from "./frame.ts";
import { handshakeAnswer, handshakeRequest, makeKey } from "./handshake.ts";
import { type Incoming, MessageReader } from "./message-reader.ts";
import { Outbox } from "./outbox.ts";
import { destinationOf, type SocketRequest } from "./request.ts";

export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;

export interface WebSocketContext {
  /** Opens what carries a WebSocket, to a server that has proved its name where `isSecure`. */
  open(request: StreamRequest, isSecure: boolean): Promise<ByteStream>;
  readonly clock: Clock;
  /** Bytes of the largest message that is taken; 64 MiB. */
  readonly maxMessage?: number;
}

/** How a connection ended; 1005: the peer gave no code, 1006: not by a closing handshake. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

export interface ConnectionListener {
  opened(protocol: string): void;
  message(data: string | Uint8Array): void;
  /** The stream has taken so many bytes of messages. */
  taken(bytes: number): void;
  /** The last word; with an error unless the end was clean. */
  closed(ending: Ending, error: TorError | undefined): void;
}

const MAX_MESSAGE = 67_108_864;
/** Milliseconds for the stream and the opening handshake together. */
const OPEN_TIMEOUT = 60_000;
/** Milliseconds in which neither a byte of ours is taken nor a Close frame comes, once we wait for that. */
const CLOSE_TIMEOUT = 30_000;
/** Milliseconds for the last frame to be taken, and for the server to end the stream after the closing handshake. */
const END_TIMEOUT = 2000;
const ABNORMAL: Ending = { code: 1006, reason: "", wasClean: false };

/** The `open` of a context: streams of `opener`, through TLS for `wss:`. */
export function openThrough(opener: SecureOpener): WebSocketContext["open"] {
  return (request, isSecure) =>
    isSecure ? opener.openSecure({ ...request, alpn: ["http/1.1"] }) : opener.openStream(request);
}

export class Connection {
  readonly #context: WebSocketContext;
  readonly #listener: ConnectionListener;
  readonly #abort = new AbortController();
  readonly #over = deferred();
  #forget = () => {};
  #state: ReadyState = CONNECTING;
  #isFinishing = false;
  #stream: ByteStream | undefined;
  #outbox: Outbox | undefined;

  constructor(context: WebSocketContext, request: SocketRequest, listener: ConnectionListener) {
    this.#context = context;
    this.#listener = listener;
    this.#forget = onAbort(request.signal, (error) => this.#fail(error));
    void this.#run(request).catch((error) => this.#fail(error));
  }

  get state(): ReadyState {
    return this.#state;
  }

  /** @param data whose bytes nobody changes any more; only in the state OPEN */
  send(opcode: number, data: Uint8Array | Blob): void {
    if (this.#outbox?.send(opcode, data) === false) void this.#fail(bufferFull());
  }

  /** Begins the closing handshake, or gives the opening one up. */
  close(code: number | undefined, reason: string): void {
    if (this.#state >= CLOSING) return;
    if (this.#state === CONNECTING) return void this.#fail(abortedError());
    this.#state = CLOSING;
    void this.#outbox?.close(closePayload(code, reason), false);
    void this.#limitClosing();
  }

  async #run(request: SocketRequest): Promise<void> {
    const { clock, maxMessage = MAX_MESSAGE } = this.#context;
    const limit = { clock, ms: OPEN_TIMEOUT, signal: this.#abort.signal };
    const error = () => timedOut("open the WebSocket");
    const input = await withTimeout({ ...limit, error }, (signal) => this.#shakeHands(request, signal));
    const reader = new MessageReader(input.bytes, maxMessage);
    this.#state = OPEN;
    this.#listener.opened(input.protocol);
    for (const turn = new Turn(); ; ) {
      const incoming = await reader.next();
      // Each event is a task of its own, as everywhere on the web.
      if (incoming.kind === "message" || incoming.kind === "close" || turn.isOver) await turn.giveWay();
      if (this.#abort.signal.aborted) return;
      if (incoming.kind === "close") return this.#finish(incoming);
      if (incoming.kind === "ping") this.#outbox?.pong(incoming.payload);
      else if (incoming.kind === "message" && this.#state === OPEN) this.#listener.message(incoming.data);
    }
  }

  async #shakeHands(request: SocketRequest, signal: AbortSignal) {
    const { hostname, port, isSecure } = destinationOf(request);
    const { isolation, protocols } = request;
    const opening = this.#context.open({ hostname, port, isolation, signal }, isSecure);
    onAbort(signal, (error) => void opening.then((late) => late.close(error)).catch(() => {}));
    const stream = await abortable(opening, signal);
    this.#stream = stream;
    this.#outbox = new Outbox(stream, {
      taken: (bytes) => this.#listener.taken(bytes),
      failed: (error) => void this.#fail(error),
    });
    const key = makeKey();
    await stream.write(handshakeRequest(request, key));
    const bytes = new HttpInput(stream);
    return { bytes, protocol: await handshakeAnswer(bytes, key, protocols) };
  }

  /** The peer's Close frame has come: ours goes out, unless it has, and the server ends the stream (RFC 6455 7.1.1). */
  async #finish({ code, reason }: Extract<Incoming, { kind: "close" }>): Promise<void> {
    this.#isFinishing = true;
    this.#state = CLOSING;
    const { clock } = this.#context;
    const stream = this.#stream as ByteStream;
    await settledWithin(clock, END_TIMEOUT, this.#outbox?.close(closePayload(code), true) as Promise<void>);
    await settledWithin(clock, END_TIMEOUT, drain(stream));
    stream.close();
    await this.#end({ code: code ?? 1005, reason, wasClean: true }, undefined);
  }

  /** Ends the connection for a failure, which the server is told in so far as it can be told anything. */
  async #fail(thrown: unknown): Promise<void> {
    // After the closing handshake nothing can fail that would matter.
    if (this.#isFinishing || this.#abort.signal.aborted) return;
    const error = toTorError(thrown);
    const wasOpen = this.#state !== CONNECTING;
    this.#state = CLOSING;
    this.#abort.abort(error);
    if (wasOpen && this.#outbox !== undefined) {
      const told = this.#outbox.close(closePayload(closeCodeOf(error)), true);
      await settledWithin(this.#context.clock, END_TIMEOUT, told);
    }
    this.#stream?.close(error);
    await this.#end(ABNORMAL, error);
  }

  /** After our Close frame the server's must come; but what was sent before it may take its time to be taken. */
  async #limitClosing(): Promise<void> {
    const { clock } = this.#context;
    for (let writes = -1; this.#outbox?.writes !== writes; ) {
      writes = this.#outbox?.writes ?? 0;
      if (await settledWithin(clock, CLOSE_TIMEOUT, this.#over.promise)) return;
    }
    await this.#fail(timedOut("close the WebSocket"));
  }

  async #end(ending: Ending, error: TorError | undefined): Promise<void> {
    this.#forget();
    await giveWay();
    this.#state = CLOSED;
    this.#over.resolve();
    this.#listener.closed(ending, error);
  }
}

/** What comes after a Close frame means nothing; its amount is bounded by the caller's time. */
async function drain(stream: ByteStream): Promise<void> {
  while ((await stream.read()) !== undefined);
}
