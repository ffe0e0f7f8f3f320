// One stream of a circuit as its user sees it: states, buffered data, pending write (tor-spec 6.2 to 6.4).
// Not here: cells, and which stream may send next; the hop has both.

import { type Deferred, deferred } from "../base/abort.ts";
import { badApiUsage, isTorError, type TorError } from "../base/errors.ts";
import type { MemoryHolder, MemoryQuota } from "../base/memory-quota.ts";
import type { TorStream } from "./api.ts";
import type { HopFlow, StreamFlow, StreamFlowOwner } from "./flow/api.ts";
import { Inbox, type SparePiece } from "./inbox.ts";
import { RelayCommand } from "./relaycell/command.ts";
import { type Connected, decodeMessage, type Resolved, type ResolvedAnswer } from "./relaycell/messages.ts";
import { EndReason, streamEndError } from "./relaycell/reasons.ts";
import { Phase, type StreamEntry } from "./stream-entry.ts";
import { circuitViolation } from "./violation.ts";

/**
 * Bytes that may wait for the application, where no window bounds them: XOFF went out at 244 KB (cc_xoff_client), and no
 * more than a congestion window was on its way then (5000 cells at the end of slow start, cc_ss_max).
 */
const MAX_INBOX = 8 * 1024 * 1024;

/** What a stream asks of its hop. */
export interface StreamOwner {
  /** The stream has data to send, or may send again. */
  schedule(stream: CircuitStream): void;
  /** Sends a message on the stream. */
  send(streamId: number, command: number, data: Uint8Array): void;
  /** Sends END and keeps the stream as half-closed. */
  end(stream: CircuitStream): void;
}

/** What begins a stream. */
export type StreamStart =
  | typeof RelayCommand.BEGIN
  | typeof RelayCommand.BEGIN_DIR
  | typeof RelayCommand.RESOLVE;

export interface CircuitStreamOptions {
  readonly id: number;
  readonly owner: StreamOwner;
  readonly flow: HopFlow;
  readonly memory: MemoryQuota;
  readonly spare: SparePiece;
  /** The monotonic clock. */
  readonly now: () => number;
  /** The command that begins it. */
  readonly start: StreamStart;
  /** Whether data may be written before CONNECTED. */
  readonly optimistic: boolean;
  /** Looks at the address in CONNECTED. @throws TorError that ends the stream */
  readonly checkAddress: (address: Uint8Array | undefined) => void;
}

/** `connecting` until CONNECTED, or RESOLVED that ends it; `open`; `ended` by the other side or with the circuit; `closed` by us. */
type StreamState = "connecting" | "open" | "ended" | "closed";

export class CircuitStream implements TorStream, StreamEntry, StreamFlowOwner, MemoryHolder {
  readonly id: number;
  readonly flow: StreamFlow;
  readonly #options: CircuitStreamOptions;
  readonly #owner: StreamOwner;
  readonly #connected: Deferred<void> = deferred<void>();
  readonly #closed: Deferred<TorError | undefined> = deferred<TorError | undefined>();
  readonly #inbox: Inbox;
  #state: StreamState = "connecting";
  /** Why reading ends, once the buffer is empty; undefined for a clean end. */
  #failure: TorError | undefined;
  #remoteAddress: Uint8Array | undefined;
  #answers: readonly ResolvedAnswer[] = [];
  #reader: Deferred<void> | undefined;
  #outbox: Uint8Array | undefined;
  #writer: Deferred<void> | undefined;

  constructor(options: CircuitStreamOptions) {
    this.id = options.id;
    this.#options = options;
    this.#owner = options.owner;
    this.flow = options.flow.stream(this);
    this.#inbox = new Inbox(options.memory.account(this), options.now, options.spare);
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

  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  get phase(): number {
    if (this.#state !== "connecting") return Phase.OPEN;
    return this.#options.start === RelayCommand.RESOLVE ? Phase.RESOLVING : Phase.CONNECTING;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#reader !== undefined)
      throw badApiUsage("ALLIUM_E_CONCURRENT_READ", "a read is already pending");
    for (;;) {
      const taken = this.#inbox.take();
      if (taken !== undefined) {
        if (this.#state === "open") this.flow.consumed(taken.cells, taken.bytes.length, this.#inbox.length);
        return taken.bytes;
      }
      if (this.#state === "ended" || this.#state === "closed") {
        if (this.#failure !== undefined) throw this.#failure;
        return undefined;
      }
      // Taken only after the wait, so that a read gets all that one flush of the channel brought.
      this.#reader = deferred<void>();
      await this.#reader.promise;
    }
  }

  write(data: Uint8Array): Promise<void> {
    const writable = this.#state === "open" || (this.#state === "connecting" && this.#options.optimistic);
    if (!writable) return Promise.reject(this.#failure ?? notOpen());
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
    this.#end(isTorError(reason) ? reason : undefined, undefined);
  }

  // What follows is called by the hop, the flow control and the memory quota.

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

  /** CONNECTED, which says nothing in answer to BEGIN_DIR (tor-spec 6.2.1). */
  receiveConnected(data: Uint8Array): void {
    if (this.#options.start === RelayCommand.BEGIN) {
      const { address } = decodeMessage(RelayCommand.CONNECTED, data) as Connected;
      this.#remoteAddress = address?.slice();
    }
    this.#state = "open";
    try {
      this.#options.checkAddress(this.#remoteAddress);
    } catch (thrown) {
      if (!isTorError(thrown)) throw thrown;
      return this.#end(thrown, thrown);
    }
    this.#connected.resolve();
  }

  /** The only message that comes in answer to RESOLVE; the stream is over with it. */
  receiveResolved(data: Uint8Array): void {
    this.#answers = (decodeMessage(RelayCommand.RESOLVED, data.slice()) as Resolved).answers;
    this.#connected.resolve();
    this.#finish("ended", undefined, undefined);
  }

  receiveData(bytes: Uint8Array, from: number, to: number): void {
    if (this.#inbox.length + to - from > MAX_INBOX)
      throw circuitViolation("STREAM_WINDOW", "more DATA than a relay that heeds XOFF would send");
    this.flow.dataReceived(this.#inbox.length + to - from);
    this.#inbox.append(bytes, from, to);
    // What was just taken in may have been reclaimed, and the stream with it.
    if (this.#state !== "open") return;
    this.#wakeReader();
  }

  receiveSendme(): void {
    this.flow.sendmeReceived();
  }

  receiveXon(data: Uint8Array): void {
    this.flow.xonReceived(data);
  }

  receiveXoff(data: Uint8Array): void {
    this.flow.xoffReceived(data);
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

  send(command: number, data: Uint8Array): void {
    if (this.#state === "open") this.#owner.send(this.id, command, data);
  }

  wake(): void {
    if (this.pending > 0) this.#owner.schedule(this);
  }

  oldest(): number {
    return this.#inbox.oldest;
  }

  /** Its data have waited longest of all when memory ran out: they are dropped, and the stream is ended. */
  reclaim(error: TorError): void {
    this.#end(error, error);
  }

  /** Ends the stream from our side; what waits to be read is dropped. */
  #end(failure: TorError | undefined, closedWith: TorError | undefined): void {
    if (this.#state === "connecting" || this.#state === "open") this.#owner.end(this);
    this.#inbox.clear();
    this.#finish("closed", failure, closedWith);
  }

  #finish(state: "ended" | "closed", failure: TorError | undefined, closedWith: TorError | undefined): void {
    if (this.#state === "closed") return;
    const first = this.#state !== "ended";
    this.#state = state;
    // What dropped the data that were still to be read counts, even where the stream had ended well.
    if (first || closedWith !== undefined) this.#failure = failure;
    this.flow.stop();
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
}

function notOpen(): TorError {
  return badApiUsage("ALLIUM_E_STREAM_CLOSED", "the stream is closed");
}
