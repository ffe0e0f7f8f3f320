// The streams of a circuit by id, and those that we closed but the exit has not: half-closed streams keep strict budgets
// (tor-spec 6.2; the windows they had, at most one CONNECTED), so that nothing can be smuggled in on them.

import { TorError } from "../base/errors.ts";
import { randomInt } from "../base/random.ts";
import { circuitViolation } from "./errors.ts";
import type { StreamWindow } from "./flow/windows.ts";
import type { CircuitStream } from "./stream.ts";

/** Ids are 16 bits, 0 is the circuit itself. */
const MAX_ID = 0xffff;
/** More half-closed streams than this and the circuit takes no new ones. */
const MAX_HALF_CLOSED = 4096;

export interface HalfClosedStream {
  readonly hop: number;
  readonly window: StreamWindow;
  /** The exit had not answered BEGIN when we closed. */
  awaitsConnected: boolean;
}

export class StreamTable {
  readonly #open = new Map<number, CircuitStream>();
  readonly #half = new Map<number, HalfClosedStream>();
  #next = 1 + randomInt(MAX_ID);

  get size(): number {
    return this.#open.size;
  }

  get streams(): CircuitStream[] {
    return [...this.#open.values()];
  }

  /** An id that no stream has, open or half-closed. */
  allocate(): number {
    if (this.#half.size >= MAX_HALF_CLOSED || this.#open.size + this.#half.size >= MAX_ID) {
      throw new TorError("limit", "ALLIUM_E_CIRCUIT_STREAMS", "the circuit has no stream id free");
    }
    for (;;) {
      const id = this.#next;
      this.#next = id === MAX_ID ? 1 : id + 1;
      if (!this.#open.has(id) && !this.#half.has(id)) return id;
    }
  }

  add(stream: CircuitStream): void {
    this.#open.set(stream.streamId, stream);
  }

  /** The stream of a cell from this hop, open or half-closed. @throws TorError when there is none */
  find(streamId: number, hop: number): CircuitStream | HalfClosedStream {
    const found = this.#open.get(streamId) ?? this.#half.get(streamId);
    if (found === undefined) throw circuitViolation("a cell for a stream that is not there");
    if (found.hop !== hop) throw circuitViolation("a stream's cell from another hop than its own");
    return found;
  }

  /** The exit ended the stream: its id is free. */
  remove(streamId: number): void {
    this.#open.delete(streamId);
    this.#half.delete(streamId);
  }

  /** We ended the stream: what is on its way may still come. */
  halfClose(stream: CircuitStream, awaitsConnected: boolean): void {
    if (!this.#open.delete(stream.streamId)) return;
    this.#half.set(stream.streamId, { hop: stream.hop, window: stream.window, awaitsConnected });
  }

  clear(): CircuitStream[] {
    const streams = this.streams;
    this.#open.clear();
    this.#half.clear();
    return streams;
  }
}
