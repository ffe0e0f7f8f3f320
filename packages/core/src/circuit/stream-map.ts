// The streams of one hop by id: open ones, and those that we ended but whose cells may still come (tor-spec 6.3).

import { TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { randomInt } from "../base/random.ts";
import { HalfClosedStream } from "./half-closed.ts";
import type { CircuitStream } from "./stream.ts";
import type { StreamEntry } from "./stream-entry.ts";

/** Stream ids are 16 bits, and 0 is the circuit itself (tor-spec 6.1). */
const STREAM_IDS = 0x10000;
/**
 * Milliseconds for which the cells of a stream that we ended are excused. C tor takes the time of a circuit's building or the
 * longest RTT, which the exit chooses, and forgives what is later; here that closes the circuit, and a page may have been
 * frozen while they came.
 */
const HALF_CLOSED_LIFETIME = 10 * 60_000;
/** Half-closed streams kept at once; a circuit that has more takes no new streams. */
export const MAX_HALF_CLOSED = 2048;

export class StreamMap {
  readonly #clock: Clock;
  readonly #open = new Map<number, CircuitStream>();
  /** In the order of their closing, which is that of their expiry. */
  readonly #halfClosed = new Map<number, HalfClosedStream>();
  // C tor's ids go up from a random first one.
  #nextId = 1 + randomInt(STREAM_IDS - 1);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Open streams. */
  get size(): number {
    return this.#open.size;
  }

  /** An id that no stream uses. @throws TorError `limit` */
  allocateId(): number {
    this.#dropExpired();
    if (
      this.#halfClosed.size >= MAX_HALF_CLOSED ||
      this.#open.size + this.#halfClosed.size >= STREAM_IDS - 1
    ) {
      throw new TorError("limit", "ALLIUM_E_TOO_MANY_STREAMS", "the circuit has had too many streams");
    }
    for (;;) {
      const id = this.#nextId;
      this.#nextId = id === STREAM_IDS - 1 ? 1 : id + 1;
      if (this.get(id) === undefined) return id;
    }
  }

  add(stream: CircuitStream): void {
    this.#open.set(stream.id, stream);
  }

  /** The stream that a relay's message is for, open or half-closed. */
  get(id: number): StreamEntry | undefined {
    return this.#open.get(id) ?? this.#late(id);
  }

  /** We sent END on this stream: for some time its cells are excused. */
  halfClose(stream: CircuitStream): void {
    this.#open.delete(stream.id);
    this.#dropExpired();
    const expires = this.#clock.monotonic() + HALF_CLOSED_LIFETIME;
    this.#halfClosed.set(stream.id, new HalfClosedStream(stream.flow, stream.phase, expires));
  }

  /** The other side sent END, or RESOLVED: nothing more may come. */
  remove(id: number): void {
    this.#open.delete(id);
    this.#halfClosed.delete(id);
  }

  /** Takes all streams out. */
  clear(): CircuitStream[] {
    const streams = [...this.#open.values()];
    this.#open.clear();
    this.#halfClosed.clear();
    return streams;
  }

  #late(id: number): HalfClosedStream | undefined {
    const stream = this.#halfClosed.get(id);
    if (stream === undefined || stream.expires > this.#clock.monotonic()) return stream;
    this.#halfClosed.delete(id);
    return undefined;
  }

  #dropExpired(): void {
    const now = this.#clock.monotonic();
    for (const [id, stream] of this.#halfClosed) {
      if (stream.expires > now) return;
      this.#halfClosed.delete(id);
    }
  }
}
