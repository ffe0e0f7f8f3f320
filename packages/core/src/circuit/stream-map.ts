// The streams of one hop by id: open ones, and those that we ended but whose cells may still come (tor-spec 6.3).
// A cell beyond what a half-closed stream may still send is how DropMark marks circuits, so each keeps its budget.

import { TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { randomInt } from "../base/random.ts";
import type { StreamFlow } from "./flow/api.ts";
import { RelayCommand } from "./relaycell/command.ts";
import type { CircuitStream } from "./stream.ts";
import { circuitViolation } from "./violation.ts";

/** Stream ids are 16 bits, and 0 is the circuit itself (tor-spec 6.1). */
const STREAM_IDS = 0x10000;
/** Milliseconds after which a half-closed stream's cells are no longer excused; a full window needs far less. */
const HALF_CLOSED_LIFETIME = 10 * 60_000;
/** Half-closed streams kept at once; a circuit that has more takes no new streams. */
export const MAX_HALF_CLOSED = 2048;

/** A stream on which we sent END: what may still come on it. */
export class HalfClosedStream {
  readonly #flow: StreamFlow;
  #awaits: number | undefined;
  readonly expires: number;

  /** @param awaits the command of the answer that may still come */
  constructor(flow: StreamFlow, awaits: number | undefined, expires: number) {
    this.#flow = flow;
    this.#awaits = awaits;
    this.expires = expires;
  }

  receiveConnected(): void {
    if (this.#awaits !== RelayCommand.CONNECTED)
      throw circuitViolation("SECOND_CONNECTED", "a CONNECTED that is not awaited on a closed stream");
    this.#awaits = undefined;
  }

  receiveResolved(): void {
    if (this.#awaits !== RelayCommand.RESOLVED)
      throw circuitViolation("RESOLVED", "a RESOLVED that is not awaited on a closed stream");
  }

  receiveData(): void {
    if (this.#awaits !== undefined)
      throw circuitViolation("WRONG_STATE", "DATA on a stream that was never connected");
    this.#flow.dataReceived();
  }

  receiveSendme(): void {
    this.#flow.sendmeReceived();
  }
}

export class StreamMap {
  readonly #clock: Clock;
  readonly #open = new Map<number, CircuitStream>();
  /** In the order of their closing, so that the first expires first. */
  readonly #halfClosed = new Map<number, HalfClosedStream>();
  // C tor's ids go up from a random first one.
  #nextId = 1 + randomInt(STREAM_IDS - 1);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

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
      if (!this.has(id)) return id;
    }
  }

  add(stream: CircuitStream): void {
    this.#open.set(stream.id, stream);
  }

  has(id: number): boolean {
    return this.#open.has(id) || this.#halfClosed.has(id);
  }

  open(id: number): CircuitStream | undefined {
    return this.#open.get(id);
  }

  halfClosed(id: number): HalfClosedStream | undefined {
    return this.#halfClosed.get(id);
  }

  /** We sent END on this stream. */
  halfClose(stream: CircuitStream): void {
    this.#open.delete(stream.id);
    this.#dropExpired();
    const expires = this.#clock.monotonic() + HALF_CLOSED_LIFETIME;
    this.#halfClosed.set(stream.id, new HalfClosedStream(stream.flow, stream.awaits, expires));
  }

  /** The other side sent END: nothing more may come. */
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

  #dropExpired(): void {
    const now = this.#clock.monotonic();
    for (const [id, stream] of this.#halfClosed) {
      if (stream.expires > now) return;
      this.#halfClosed.delete(id);
    }
  }
}
