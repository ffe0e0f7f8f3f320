// The streams of a connection: which are open, which were and may still get frames, which never were (RFC 9113 5.1).

import { http2Error } from "./errors.ts";
import { MAX_INT31 } from "./frames.ts";
import type { Http2Stream } from "./stream.ts";

/** Bytes by which the windows of all streams may grow. */
const GROWTH = 8_388_608;
/** Streams that we gave up whose last frames may still come; of older ones they are an error. */
const MAX_GIVEN_UP = 1000;

export class Streams {
  readonly #open = new Map<number, Http2Stream>();
  /** What the server may still send on streams that we gave up. */
  readonly #givenUp = new Map<number, number>();
  #growthLeft = GROWTH;
  #nextId = 1;

  get size(): number {
    return this.#open.size;
  }

  /** Whether there is an identifier left for another one. */
  get isOpenable(): boolean {
    return this.#nextId <= MAX_INT31;
  }

  get wasUsed(): boolean {
    return this.#nextId > 1;
  }

  add(make: (id: number) => Http2Stream): Http2Stream {
    const stream = make(this.#nextId);
    this.#nextId += 2;
    this.#open.set(stream.id, stream);
    return stream;
  }

  /** All that are open; they may be removed meanwhile. */
  [Symbol.iterator](): Iterator<Http2Stream> {
    return this.#open.values();
  }

  /** The stream that a frame is for, or undefined where it has ended. @throws TorError where it never was */
  find(id: number): Http2Stream | undefined {
    if (id % 2 === 1 && id < this.#nextId) return this.#open.get(id);
    throw http2Error("PROTOCOL", `a frame on stream ${id}, which nobody opened`);
  }

  /** Takes it out. @returns whether it was there */
  remove(stream: Http2Stream): boolean {
    if (!this.#open.delete(stream.id)) return false;
    this.#growthLeft += stream.grown;
    return true;
  }

  /** What we have given up, the server may not know of yet. */
  giveUp({ id, window }: Http2Stream): void {
    this.#givenUp.set(id, window);
    if (this.#givenUp.size > MAX_GIVEN_UP) this.#givenUp.delete(this.#givenUp.keys().next().value as number);
  }

  /** A frame with so many bytes of data came for a stream that has ended. @throws TorError unless it only comes late */
  late(id: number, bytes: number): void {
    const left = this.#givenUp.get(id);
    if (left === undefined) throw http2Error("STREAM_CLOSED", `a frame on stream ${id}, which has ended`);
    if (left < bytes) throw http2Error("FLOW_CONTROL", `data beyond the window of stream ${id}`);
    this.#givenUp.set(id, left - bytes);
  }

  /** Up to so many bytes by which a stream's window may grow. */
  growth(wanted: number): number {
    const growth = Math.min(wanted, this.#growthLeft);
    this.#growthLeft -= growth;
    return growth;
  }
}
