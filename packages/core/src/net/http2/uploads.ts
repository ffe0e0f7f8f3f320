// Bodies of requests on their way, as fast as the windows of stream and connection allow (RFC 9113 5.2, 6.9).

import { type Deferred, deferred } from "../../base/abort.ts";
import { abortedError } from "../../base/errors.ts";
import { piecesOf, type RequestBody } from "../http/upload.ts";
import { http2Error } from "./errors.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { DATA, END_STREAM, frame, MAX_FRAME, MAX_INT31 } from "./frames.ts";
import { DEFAULT_WINDOW } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";

const EMPTY = new Uint8Array(0);

export class Uploads {
  readonly #writer: FrameWriter;
  readonly #onFrame: () => void;
  /** What the server takes on the connection now. */
  #window = DEFAULT_WINDOW;
  #changed: Deferred<void> = deferred();

  /** @param onFrame told of each frame of data */
  constructor(writer: FrameWriter, onFrame: () => void) {
    this.#writer = writer;
    this.#onFrame = onFrame;
  }

  /** The window of the connection, or of `stream`, changes by so many bytes. @throws TorError when it overflows */
  widen(bytes: number, stream?: Http2Stream): void {
    if (stream === undefined) this.#window += bytes;
    else stream.sendWindow += bytes;
    if ((stream?.sendWindow ?? this.#window) > MAX_INT31)
      throw http2Error("FLOW_CONTROL", "a window of 2^31 or more");
    this.wake();
  }

  /** Something changed: whoever waits for room looks again. */
  wake(): void {
    this.#changed.resolve();
    this.#changed = deferred();
  }

  /** Sends the whole body. @throws SourceFailure, or what closed the stream */
  async send(stream: Http2Stream, source: ReadableStream<Uint8Array>, length: RequestBody["length"]) {
    const reader = source.getReader();
    stream.closed.promise.then((reason) => reader.cancel(reason).catch(() => {}));
    const next = piecesOf(reader, length);
    // Of a body of known length the next piece is at hand, so that the last one can say that it is the last.
    const isAtHand = length !== undefined;
    let piece = await next();
    while (piece !== undefined) {
      const after: Uint8Array | undefined = isAtHand ? await next() : EMPTY;
      await this.#sendPiece(stream, piece, after === undefined);
      if (after === undefined) return;
      piece = isAtHand ? after : await next();
    }
    await this.#sendPiece(stream, EMPTY, true);
  }

  async #sendPiece(stream: Http2Stream, bytes: Uint8Array, isLast: boolean): Promise<void> {
    let at = 0;
    do {
      const size = await stream.watch.waited(this.#take(stream, bytes.length - at));
      const part = bytes.subarray(at, at + size);
      at += size;
      const flags = isLast && at === bytes.length ? END_STREAM : 0;
      if (flags !== 0) stream.isSent = true;
      this.#onFrame();
      await stream.watch.waited(this.#writer.write(frame(DATA, flags, stream.id, part)));
    } while (at < bytes.length);
  }

  /** Takes room for at most `wanted` bytes out of both windows as soon as there is any. */
  async #take(stream: Http2Stream, wanted: number): Promise<number> {
    for (;;) {
      if (stream.isClosed) throw abortedError();
      const room = Math.min(wanted, this.#window, stream.sendWindow, MAX_FRAME);
      if (room > 0 || wanted === 0) {
        this.#window -= room;
        stream.sendWindow -= room;
        return room;
      }
      await this.#changed.promise;
    }
  }
}
