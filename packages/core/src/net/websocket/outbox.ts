// What goes out on a WebSocket, in order: messages, cut into frames as the stream takes them, pongs between those, and the
// Close frame as the last (RFC 6455 5.4, 5.5).

import type { ByteStream } from "../../base/byte-stream.ts";
import { concat } from "../../base/bytes.ts";
import { CLOSE, CONTINUATION, encodeFrame, PONG } from "./frame.ts";

/** Bytes of a message in one frame, so that pongs need not wait for all of it. */
const PIECE = 65_536;
/** Small frames go in one write up to this size: together they often fit a cell. */
const BATCH = 16_384;
/** Pongs that wait; the oldest is left out beyond that (RFC 6455 5.5.3). */
const MAX_PONGS = 32;
/** Bytes of messages that wait, Blobs apart. */
const MAX_WAITING = 268_435_456;

interface Outgoing {
  readonly opcode: number;
  readonly data: Uint8Array | Blob;
  at: number;
}

export interface OutboxListener {
  /** The stream has taken so many bytes of messages. */
  taken(bytes: number): void;
  /** A Blob could not be read, or the stream failed. */
  failed(error: unknown): void;
}

export class Outbox {
  readonly #stream: Pick<ByteStream, "write">;
  readonly #listener: OutboxListener;
  readonly #maxWaiting: number;
  readonly #messages: Outgoing[] = [];
  /** Their payloads. */
  readonly #pongs: Uint8Array[] = [];
  #waiting = 0;
  #close: Uint8Array | undefined;
  #isClosed = false;
  #isRunning = false;
  #done = Promise.resolve();
  /** Writes that the stream has taken. */
  writes = 0;

  constructor(stream: Pick<ByteStream, "write">, listener: OutboxListener, maxWaiting = MAX_WAITING) {
    this.#stream = stream;
    this.#listener = listener;
    this.#maxWaiting = maxWaiting;
  }

  /** Queues a message, whose bytes may not be changed any more. @returns false when too much waits already */
  send(opcode: number, data: Uint8Array | Blob): boolean {
    const held = data instanceof Uint8Array ? data.length : 0;
    if (this.#waiting + held > this.#maxWaiting) return false;
    this.#waiting += held;
    this.#messages.push({ opcode, data, at: 0 });
    this.#run();
    return true;
  }

  pong(payload: Uint8Array): void {
    if (this.#close !== undefined) return;
    this.#pongs.push(payload);
    if (this.#pongs.length > MAX_PONGS) this.#pongs.shift();
    this.#run();
  }

  /**
   * Queues the Close frame, the last of all: behind the messages, or in place of those that wait. The first one counts.
   * @returns a promise that settles, never rejects, when nothing more is written
   */
  close(payload: Uint8Array, isUrgent: boolean): Promise<void> {
    if (isUrgent) this.#messages.length = 0;
    this.#close ??= encodeFrame(CLOSE, payload);
    return this.#run();
  }

  #run(): Promise<void> {
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#done = this.#drain().catch((error) => this.#listener.failed(error));
    }
    return this.#done;
  }

  async #drain(): Promise<void> {
    try {
      while (!this.#isClosed) {
        const { frames, bytes } = await this.#nextBatch();
        if (this.#messages.length === 0 && this.#close !== undefined) {
          frames.push(this.#close);
          this.#isClosed = true;
        }
        if (frames.length === 0) return;
        await this.#stream.write(concat(...frames));
        this.writes++;
        this.#listener.taken(bytes);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #nextBatch(): Promise<{ frames: Uint8Array[]; bytes: number }> {
    const frames = this.#pongs.splice(0).map((payload) => encodeFrame(PONG, payload));
    let bytes = 0;
    for (let size = 0; size < BATCH && this.#messages.length > 0; ) {
      const next = await this.#nextFrame(this.#messages[0] as Outgoing);
      frames.push(next.frame);
      size += next.frame.length;
      bytes += next.bytes;
    }
    return { frames, bytes };
  }

  async #nextFrame(message: Outgoing): Promise<{ frame: Uint8Array; bytes: number }> {
    const { opcode, data, at } = message;
    const isBlob = data instanceof Blob;
    const size = isBlob ? data.size : data.length;
    const end = Math.min(at + PIECE, size);
    message.at = end;
    const bytes = isBlob ? new Uint8Array(await data.slice(at, end).arrayBuffer()) : data.subarray(at, end);
    if (end === size && this.#messages[0] === message) this.#messages.shift();
    if (!isBlob) this.#waiting -= bytes.length;
    return { frame: encodeFrame(at === 0 ? opcode : CONTINUATION, bytes, end === size), bytes: end - at };
  }
}
