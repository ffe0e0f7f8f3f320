// One stream of a circuit as its user sees it: states, buffered data, pending write (tor-spec 6.2 to 6.4).
// Not here: cells, and which stream may send next; the hop has both.

import { type Deferred, deferred } from "../base/abort.ts";
import { concat } from "../base/bytes.ts";
import { badApiUsage, isTorError, type TorError } from "../base/errors.ts";
import type { TorStream } from "./api.ts";
import type { StreamFlow } from "./flow/api.ts";
import { RelayCommand } from "./relaycell/command.ts";
import { type Connected, decodeMessage, type Resolved, type ResolvedAnswer } from "./relaycell/messages.ts";
import { EndReason, streamEndError } from "./relaycell/reasons.ts";
import { circuitViolation } from "./violation.ts";

/** The most that one read returns. */
const READ_LIMIT = 64 * 1024;

/** What a stream asks of its hop. */
export interface StreamOwner {
  /** The stream has data to send, or may send again. */
  schedule(stream: CircuitStream): void;
  /** Sends `count` stream-level SENDMEs. */
  acknowledge(stream: CircuitStream, count: number): void;
  /** Sends END and keeps the stream as half-closed. */
  end(stream: CircuitStream): void;
}

/** What begins a stream. */
export type StreamStart =
  | typeof RelayCommand.BEGIN
  | typeof RelayCommand.BEGIN_DIR
  | typeof RelayCommand.RESOLVE;

/** `connecting` until CONNECTED, or RESOLVED that ends it; `open`; `ended` by the other side or with the circuit; `closed` by us. */
type StreamState = "connecting" | "open" | "ended" | "closed";

export class CircuitStream implements TorStream {
  readonly id: number;
  readonly flow: StreamFlow;
  readonly #owner: StreamOwner;
  readonly #start: StreamStart;
  readonly #connected: Deferred<void> = deferred<void>();
  readonly #closed: Deferred<TorError | undefined> = deferred<TorError | undefined>();
  #state: StreamState = "connecting";
  /** Why reading ends, once the buffer is empty; undefined for a clean end. */
  #failure: TorError | undefined;
  #remoteAddress: Uint8Array | undefined;
  #answers: readonly ResolvedAnswer[] = [];
  /** Payloads of DATA cells not read yet; the stream's window bounds their number. */
  readonly #inbox: Uint8Array[] = [];
  #reader: Deferred<void> | undefined;
  #outbox: Uint8Array | undefined;
  #writer: Deferred<void> | undefined;

  /** @param start the command that begins it */
  constructor(id: number, flow: StreamFlow, owner: StreamOwner, start: StreamStart) {
    this.id = id;
    this.flow = flow;
    this.#owner = owner;
    this.#start = start;
  }

  get remoteAddress(): Uint8Array | undefined {
    return this.#remoteAddress;
  }

  get closed(): Promise<TorError | undefined> {
    return this.#closed.promise;
  }

  /** What RESOLVED said. */
  get answers(): readonly ResolvedAnswer[] {
    return this.#answers;
  }

  /** Fulfilled on CONNECTED or RESOLVED. */
  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** The command of the answer that may still come: CONNECTED, RESOLVED or none. */
  get awaits(): number | undefined {
    if (this.#state !== "connecting") return undefined;
    return this.#start === RelayCommand.RESOLVE ? RelayCommand.RESOLVED : RelayCommand.CONNECTED;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#reader !== undefined)
      throw badApiUsage("ALLIUM_E_CONCURRENT_READ", "a read is already pending");
    while (this.#inbox.length === 0) {
      if (this.#state === "ended" || this.#state === "closed") {
        if (this.#failure !== undefined) throw this.#failure;
        return undefined;
      }
      // Taken only after the wait, so that a read gets all that one flush of the channel brought.
      this.#reader = deferred<void>();
      await this.#reader.promise;
    }
    return this.#take();
  }

  write(data: Uint8Array): Promise<void> {
    if (this.#state !== "open") return Promise.reject(this.#failure ?? notOpen());
    if (this.#writer !== undefined) {
      return Promise.reject(badApiUsage("ALLIUM_E_CONCURRENT_WRITE", "a write is already pending"));
    }
    if (data.length === 0) return Promise.resolve();
    const writer = deferred<void>();
    this.#writer = writer;
    this.#outbox = data;
    this.#owner.schedule(this);
    return writer.promise;
  }

  close(reason?: unknown): void {
    const wasAlive = this.#state === "connecting" || this.#state === "open";
    if (wasAlive) this.#owner.end(this);
    this.#inbox.length = 0;
    this.#finish("closed", isTorError(reason) ? reason : undefined, undefined);
  }

  // What follows is called by the hop.

  /** How many bytes wait to be sent. */
  get pending(): number {
    return this.#outbox?.length ?? 0;
  }

  /** The first `length` of the bytes that wait to be sent. Settles the write when they were the last. */
  takeOutbound(length: number): Uint8Array {
    const all = this.#outbox as Uint8Array;
    if (length < all.length) {
      this.#outbox = all.subarray(length);
      return all.subarray(0, length);
    }
    this.#outbox = undefined;
    this.#writer?.resolve();
    this.#writer = undefined;
    return all;
  }

  /** The body of CONNECTED, which says nothing in answer to BEGIN_DIR (tor-spec 6.2.1). */
  receiveConnected(body: Uint8Array): void {
    if (this.awaits !== RelayCommand.CONNECTED)
      throw circuitViolation("SECOND_CONNECTED", "a CONNECTED that is not awaited");
    if (this.#start === RelayCommand.BEGIN) {
      const { address } = decodeMessage(RelayCommand.CONNECTED, body) as Connected;
      // A copy: the cell's body would be kept alive for four bytes.
      this.#remoteAddress = address?.slice();
    }
    this.#state = "open";
    this.#connected.resolve();
  }

  /** The only message that comes in answer to RESOLVE; the stream is over with it. */
  receiveResolved(body: Uint8Array): void {
    if (this.awaits !== RelayCommand.RESOLVED)
      throw circuitViolation("RESOLVED", "a RESOLVED that is not awaited");
    this.#answers = (decodeMessage(RelayCommand.RESOLVED, body) as Resolved).answers;
    this.#connected.resolve();
    this.#finish("ended", undefined, undefined);
  }

  receiveData(data: Uint8Array): void {
    if (this.#state !== "open")
      throw circuitViolation("WRONG_STATE", "DATA on a stream that is not connected");
    this.flow.dataReceived();
    this.#inbox.push(data);
    this.#wakeReader();
  }

  receiveEnd(reason: number): void {
    const clean = reason === EndReason.DONE && this.#state === "open";
    const error = clean ? undefined : streamEndError(reason);
    this.#finish("ended", error, error);
  }

  /** The circuit is gone. What arrived before can still be read. */
  fail(error: TorError): void {
    this.#finish("ended", error, error);
  }

  #finish(state: "ended" | "closed", failure: TorError | undefined, closedWith: TorError | undefined): void {
    if (this.#state === "closed") return;
    const first = this.#state !== "ended";
    this.#state = state;
    if (first) this.#failure = failure;
    this.#connected.reject(this.#failure ?? notOpen());
    this.#outbox = undefined;
    this.#writer?.reject(this.#failure ?? notOpen());
    this.#writer = undefined;
    this.#wakeReader();
    this.#closed.resolve(closedWith);
  }

  #wakeReader(): void {
    this.#reader?.resolve();
    this.#reader = undefined;
  }

  /** Up to READ_LIMIT of what is buffered, copied only when it is more than one cell's; then says what was taken. */
  #take(): Uint8Array {
    let cells = 0;
    let length = 0;
    for (const chunk of this.#inbox) {
      if (cells > 0 && length + chunk.length > READ_LIMIT) break;
      length += chunk.length;
      cells++;
    }
    const chunks = this.#inbox.splice(0, cells);
    if (this.#state === "open") {
      const sendmes = this.flow.consumed(cells);
      if (sendmes > 0) this.#owner.acknowledge(this, sendmes);
    }
    return cells === 1 ? (chunks[0] as Uint8Array) : concat(...chunks);
  }
}

function notOpen(): TorError {
  return badApiUsage("ALLIUM_E_STREAM_CLOSED", "the stream is closed");
}
