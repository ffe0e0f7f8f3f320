// A channel's sending side: cells are queued synchronously and leave together, one TLS write a turn, with marks that tell
// circuits when to hold data back.

import type { RecordStream } from "../base/byte-stream.ts";
import { TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { FIXED_CELL_LENGTH, writeFixedCell } from "./cell-codec.ts";

/** Above this many queued bytes circuits hold data cells back; four TLS records, besides the write under way. */
const HIGH_MARK = 64 * 1024;
/** Control cells are let past the high mark, but not without end: 8000 of them mean that nothing is taken any more. */
const LIMIT = 4 * 1024 * 1024;
/** A link that takes nothing for this long is dead, in milliseconds: longer than TCP needs to get over a lost minute. */
const STALL_TIMEOUT = 60_000;
/** The largest buffer that is kept for another turn; a channel has two. */
const KEPT = 2 * HIGH_MARK;
/** Most turns send one to four cells. */
const FIRST_CAPACITY = 4 * FIXED_CELL_LENGTH;

const NOTHING = new Uint8Array(0);

export interface OutboundEvents {
  /** So many bytes of cells leave. */
  sent(bytes: number): void;
  /** There is room again after `congested`. */
  drained(): void;
  /** Nothing more can be sent. */
  failed(error: unknown): void;
}

export class Outbound {
  readonly #stream: RecordStream;
  readonly #clock: Clock;
  readonly #events: OutboundEvents;
  #queue: Uint8Array = NOTHING;
  /** A queue that was sent, for the next one. */
  #spare: Uint8Array = NOTHING;
  #length = 0;
  #nextCapacity = FIRST_CAPACITY;
  #flushing = false;
  #congested = false;
  #stopped = false;

  constructor(stream: RecordStream, clock: Clock, events: OutboundEvents) {
    this.#stream = stream;
    this.#clock = clock;
    this.#events = events;
  }

  get congested(): boolean {
    return this.#congested;
  }

  /** Whether nothing waits to be sent. */
  get isIdle(): boolean {
    return !this.#flushing;
  }

  /** Queues one fixed cell; `body` is copied. */
  send(circuitId: number, command: number, body: Uint8Array): void {
    if (this.#stopped) return;
    if (this.#length + FIXED_CELL_LENGTH > LIMIT) {
      this.#events.failed(new TorError("limit", "ALLIUM_E_LINK_QUEUE", "the link's send queue is full"));
      return;
    }
    this.#reserve(FIXED_CELL_LENGTH);
    writeFixedCell(this.#queue, this.#length, circuitId, command, body);
    this.#length += FIXED_CELL_LENGTH;
    if (this.#length > HIGH_MARK) this.#congested = true;
    if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => void this.#flush());
    }
  }

  /** Drops what is queued and everything that comes. */
  stop(): void {
    this.#stopped = true;
    this.#queue = this.#spare = NOTHING;
    this.#length = 0;
  }

  async #flush(): Promise<void> {
    try {
      while (this.#length > 0) {
        const queue = this.#queue;
        const bytes = this.#takeQueue();
        const written = this.#write(bytes);
        // Where a circuit fails below, nobody waits for it.
        written.catch(() => {});
        this.#events.sent(bytes.length);
        // While these bytes are sealed and sent, circuits fill the queue anew: waiting for the write first would leave
        // either them or the link idle.
        if (this.#congested) {
          this.#congested = false;
          this.#events.drained();
        }
        await written;
        // With a buffer anew for each turn the engine spends a tenth of an upload on clearing it.
        if (queue.length > this.#spare.length && queue.length <= KEPT) this.#spare = queue;
      }
    } catch (error) {
      this.#events.failed(error);
    } finally {
      this.#flushing = false;
    }
  }

  /** Everything queued. The stream has it until it is written, so the next cells get another buffer. */
  #takeQueue(): Uint8Array {
    const bytes = this.#queue.subarray(0, this.#length);
    // The next turn will hold about as much: to grow up to it would copy all of it once more.
    this.#nextCapacity = Math.min(Math.max(FIRST_CAPACITY, this.#length), HIGH_MARK + FIRST_CAPACITY);
    this.#queue = this.#spare;
    this.#spare = NOTHING;
    this.#length = 0;
    return bytes;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const timer = this.#clock.timer(STALL_TIMEOUT);
    // Failing closes the stream, which ends the write too.
    timer.fired.then(() => this.#events.failed(stalled()));
    try {
      await this.#stream.write(bytes);
    } finally {
      timer.cancel();
    }
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#queue.length) return;
    const grown = new Uint8Array(Math.max(wanted, 2 * this.#queue.length, this.#nextCapacity));
    grown.set(this.#queue.subarray(0, this.#length));
    this.#queue = grown;
  }
}

function stalled(): TorError {
  return new TorError(
    "circuit-collapse",
    "ALLIUM_E_LINK_STALLED",
    `the link took no byte for ${STALL_TIMEOUT} ms`,
  );
}
