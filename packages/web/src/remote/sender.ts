// The sending end of a stream of bytes over a port: within the credit that the other side gives, in pieces that are neither
// so small that messages cost more than bytes nor so large that one is a long task there.

import { systemClock } from "@allium/core";
import { concat, type Deferred, deferred, ownBuffer } from "@allium/core/internal";
import { misfit } from "./check.ts";
import { FIRST_WINDOW, FULL_WINDOW, MAX_PIECE } from "./protocol.ts";

/** What is at least as long is sent by itself, and so without a copy. */
const LONG_PIECE = 32_768;
/** Milliseconds between two messages with less than that; the first after a pause goes at once. */
const SHORT_PIECE_GAP = 4;

/** The pause after a short message in a worker, whose timers are exact. */
export function shortPause(): Promise<void> {
  return systemClock.timer(SHORT_PIECE_GAP).fired;
}

export class ByteSender {
  readonly #post: (bytes: ArrayBuffer) => void;
  readonly #pause: () => Promise<void>;
  #credit = FIRST_WINDOW;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #pausing = false;
  #stopped = false;
  #news: Deferred<void> = deferred();

  /** @param pause settles when a short message may follow another */
  constructor(post: (bytes: ArrayBuffer) => void, pause: () => Promise<void>) {
    this.#post = post;
    this.#pause = pause;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** @throws TorError `protocol-violation` for more than a window */
  grant(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > FULL_WINDOW) throw misfit("more credit than a window");
    this.#tell();
  }

  /** Settles when bytes may be written without a wait, or none any more. */
  async ready(): Promise<void> {
    while (this.#room <= 0 && !this.#stopped) await this.#news.promise;
  }

  /**
   * Settles when all is sent or soon will be. Nothing is sent after `stop()`.
   * @param owned whether the buffer of `bytes`, if they fill it, may be given away; a copy is made otherwise
   */
  async write(bytes: Uint8Array, owned: boolean): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      await this.ready();
      if (this.#stopped) return;
      const piece = bytes.subarray(at, at + Math.min(this.#room, MAX_PIECE));
      at += piece.length;
      this.#add(owned ? piece : piece.slice());
    }
  }

  /** Sends what is held back. */
  flush(): void {
    if (this.#pendingBytes === 0 || this.#stopped) return;
    const [first, ...more] = this.#pending as [Uint8Array, ...Uint8Array[]];
    const bytes = more.length === 0 ? ownBuffer(first) : concat(first, ...more);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#credit -= bytes.length;
    if (bytes.length < LONG_PIECE && !this.#pausing) void this.#flushAfterPause();
    this.#post(bytes.buffer as ArrayBuffer);
  }

  /** Sends nothing more, and drops what is held back. */
  stop(): void {
    this.#stopped = true;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#tell();
  }

  get #room(): number {
    return this.#credit - this.#pendingBytes;
  }

  #add(piece: Uint8Array): void {
    if (this.#pendingBytes + piece.length > MAX_PIECE) this.flush();
    this.#pending.push(piece);
    this.#pendingBytes += piece.length;
    if (this.#pendingBytes >= LONG_PIECE || this.#room === 0 || !this.#pausing) this.flush();
  }

  async #flushAfterPause(): Promise<void> {
    this.#pausing = true;
    await this.#pause();
    this.#pausing = false;
    this.flush();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = deferred();
  }
}

/**
 * Sends a stream to its end, or until the sender is stopped; whoever stops it cancels the stream.
 * @returns whether all was sent
 */
export async function sendAll(
  source: ReadableStreamDefaultReader<Uint8Array>,
  sender: ByteSender,
  owned: boolean,
): Promise<boolean> {
  for (;;) {
    await sender.ready();
    if (sender.isStopped) return false;
    const { done, value } = await source.read();
    if (done) break;
    await sender.write(value, owned);
  }
  if (sender.isStopped) return false;
  sender.flush();
  return true;
}
