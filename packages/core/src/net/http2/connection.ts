// An HTTP/2 connection, the client's side of it (RFC 9113): its streams, and what holds for all of them.
// Not here: TLS and ALPN, which decide that HTTP/2 is spoken; server push (8.4), which is turned off; priorities (5.3), which
// are ignored; CONNECT (8.5); PING of our own, whose times would be a pattern.
// Bounds: at most MAX_STREAMS responses of STREAM_WINDOW unread bytes each, and GROWTH bytes more for those that are read as
// fast as they come: 20.5 MiB in all. A response that has come whole is its reader's affair.

import { deferred, onAbort, throwIfAborted } from "../../base/abort.ts";
import type { ByteStream } from "../../base/byte-stream.ts";
import { Reader } from "../../base/bytes.ts";
import { abortedError, isTorError, type TorError, toTorError } from "../../base/errors.ts";
import type { Clock } from "../../base/ports.ts";
import type { HttpConnection } from "../http/api.ts";
import { truncated, unprocessed } from "../http/errors.ts";
import { type HttpRequest, type HttpResponse, lengthOf } from "../http/exchange.ts";
import { watchIdle } from "../http/idle.ts";
import { HttpInput } from "../http/input.ts";
import { SourceFailure } from "../http/upload.ts";
import { FrameBudget } from "./budget.ts";
import { http2Error, NO_ERROR, REFUSED_STREAM, resetError, wireCode } from "./errors.ts";
import { type FieldBlock, FieldBlocks } from "./field-block.ts";
import { FrameWriter } from "./frame-writer.ts";
import {
  ACK,
  contentOf,
  DATA,
  END_STREAM,
  type Frame,
  frame,
  GOAWAY,
  headersFrames,
  MAX_INT31,
  numbersFrame,
  PING,
  PUSH_PROMISE,
  RST_STREAM,
  readFrame,
  SETTINGS,
  WINDOW_UPDATE,
} from "./frames.ts";
import { encodeFields, HpackDecoder } from "./hpack.ts";
import { requestSection } from "./sections.ts";
import { applySettings, CONNECTION_WINDOW, DEFAULT_WINDOW, type PeerSettings, preface } from "./settings.ts";
import { Http2Stream, type StreamHost } from "./stream.ts";
import { Streams } from "./streams.ts";
import { Uploads } from "./uploads.ts";

export interface Http2Options {
  readonly clock: Clock;
  /**
   * Milliseconds without a byte of its own in either direction until a request that waits for one fails. Where nothing at
   * all has come meanwhile, the connection ends with it.
   */
  readonly idleTimeout: number;
}

/** Streams at a time, however many the server would allow. */
const MAX_STREAMS = 100;
/** Frames that a server may need for each request, or frame of data, of ours: both windows, and more than that. */
const FRAMES_FOR_OURS = 4;

/** Speaks HTTP/2 on `stream`, which it owns. Nothing is sent before the first request, whose company the preface keeps. */
export function openHttp2(stream: ByteStream, options: Http2Options): HttpConnection {
  return new Http2Connection(stream, options);
}

class Http2Connection implements HttpConnection, StreamHost {
  readonly #stream: ByteStream;
  readonly #options: Http2Options;
  readonly #writer: FrameWriter;
  readonly #uploads: Uploads;
  readonly #budget: FrameBudget;
  readonly #blocks = new FieldBlocks();
  readonly #decoder = new HpackDecoder();
  readonly #streams = new Streams();
  readonly #peer: PeerSettings = {
    maxStreams: MAX_STREAMS,
    streamWindow: DEFAULT_WINDOW,
    hasSmallTable: false,
  };
  readonly #closed = deferred<TorError | undefined>();
  /** Bytes that came and that the server was not told of yet. */
  #owed = 0;
  #hasSettings = false;
  #acks = 1;
  #isTableForgotten = false;
  /** The last stream that the server takes, once it has said so. */
  #lastId = MAX_INT31;
  #goaway: TorError | undefined;
  #isLeaving = false;
  #isOver = false;
  /** When a frame last came. */
  #heard: number;

  constructor(stream: ByteStream, options: Http2Options) {
    this.#stream = stream;
    this.#options = options;
    this.#heard = options.clock.monotonic();
    this.#budget = new FrameBudget(options.clock);
    this.#writer = new FrameWriter(stream, preface(), (error) => this.#end(toTorError(error)));
    this.#uploads = new Uploads(this.#writer, () => this.#budget.earn(FRAMES_FOR_OURS));
    this.#read();
  }

  get closed(): Promise<TorError | undefined> {
    return this.#closed.promise;
  }

  get active(): number {
    return this.#streams.size;
  }

  get isFree(): boolean {
    const isOpen = !this.#isLeaving && this.#streams.isOpenable;
    return isOpen && this.active < Math.min(this.#peer.maxStreams, MAX_STREAMS);
  }

  async request(request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
    throwIfAborted(signal);
    if (!this.isFree) throw unprocessed("the connection takes no further request");
    const { head, body } = request;
    const section = requestSection({ ...head, bodyLength: lengthOf(request) });
    const source = body?.open();
    const stream = this.#open(head.method);
    stream.isSent = source === undefined;
    this.#writer.write(headersFrames(stream.id, this.#encode(section), stream.isSent));
    const forget = onAbort(signal, (error) => this.reset(stream, error));
    stream.closed.promise.then(forget);
    if (source !== undefined) {
      this.#uploads
        .send(stream, source, body?.length)
        .then(() => this.#settle(stream))
        .catch((error) => this.reset(stream, error instanceof SourceFailure ? error.cause : error));
    }
    return stream.watch.waited(stream.response.promise);
  }

  close(reason?: unknown): void {
    this.#end(isTorError(reason) ? reason : abortedError(reason), false);
  }

  allow(streamId: number, bytes: number): void {
    this.#writer.write(numbersFrame(WINDOW_UPDATE, streamId, bytes));
  }

  growth(wanted: number): number {
    return this.#streams.growth(wanted);
  }

  reset(stream: Http2Stream, error: unknown): void {
    if (stream.isClosed) return;
    this.#writer.write(numbersFrame(RST_STREAM, stream.id, wireCode(error)));
    this.#streams.giveUp(stream);
    this.#drop(stream, error);
  }

  #open(method: string): Http2Stream {
    const { clock, idleTimeout } = this.#options;
    const watch = watchIdle(clock, idleTimeout, (error) => {
      if (clock.monotonic() - this.#heard >= idleTimeout) this.#end(error);
      else this.reset(stream, error);
    });
    const { streamWindow } = this.#peer;
    const stream = this.#streams.add((id) => new Http2Stream(id, method, streamWindow, this, watch));
    this.#budget.earn(FRAMES_FOR_OURS);
    return stream;
  }

  #encode(section: Parameters<typeof encodeFields>[0]): Uint8Array {
    const forgets = this.#peer.hasSmallTable && !this.#isTableForgotten;
    this.#isTableForgotten ||= forgets;
    return encodeFields(section, forgets);
  }

  /** Lets go of a stream whose request and response are both whole. */
  #settle(stream: Http2Stream): void {
    if (stream.isSent && stream.isAnswered) this.#drop(stream);
  }

  #drop(stream: Http2Stream, error?: unknown): void {
    if (!this.#streams.remove(stream)) return;
    stream.close(error);
    this.#uploads.wake();
    if (this.#isLeaving && this.active === 0) this.#end(this.#goaway);
  }

  /** Ends everything. @param isFailure whether the error is one of the connection and not the wish of its owner */
  #end(error: TorError | undefined, isFailure = true): void {
    if (this.#isOver) return;
    this.#isOver = this.#isLeaving = true;
    // Without a wait: the stream takes what it can.
    if (this.#streams.wasUsed) this.#writer.write(numbersFrame(GOAWAY, 0, 0, wireCode(error, NO_ERROR)));
    for (const stream of this.#streams) this.#drop(stream, error);
    this.#closed.resolve(isFailure ? error : undefined);
    this.#stream.close(error);
  }

  async #read(): Promise<void> {
    const input = new HttpInput(this.#stream);
    try {
      for (;;) {
        const next = await readFrame(input);
        if (this.#isOver) return;
        if (next === undefined) {
          const broken = this.active > 0 ? truncated("a response") : undefined;
          return this.#end(this.#goaway ?? broken);
        }
        this.#heard = this.#options.clock.monotonic();
        this.#take(next);
      }
    } catch (error) {
      this.#end(toTorError(error));
    }
  }

  #take(next: Frame): void {
    if (!this.#hasSettings && (next.type !== SETTINGS || (next.flags & ACK) !== 0)) {
      throw http2Error("PROTOCOL", "the server does not begin with SETTINGS");
    }
    const block = this.#blocks.take(next);
    if (block === true) return;
    if (block !== false) return this.#onBlock(block);
    switch (next.type) {
      case DATA:
        return this.#onData(next);
      case RST_STREAM:
        return this.#onReset(next);
      case SETTINGS:
        return this.#onSettings(next);
      case PUSH_PROMISE:
        throw http2Error("PROTOCOL", "a push, which is turned off");
      case PING:
        return this.#onPing(next);
      case GOAWAY:
        return this.#onGoaway(new Reader(next.payload, () => http2Error("FRAME_SIZE", "GOAWAY cut short")));
      case WINDOW_UPDATE:
        return this.#onWindowUpdate(next);
      default:
        this.#budget.spend("frames that are ignored");
    }
  }

  /** Does something to a stream, whose faults end it alone. */
  #onStream(stream: Http2Stream, action: () => void): void {
    try {
      action();
      this.#settle(stream);
    } catch (error) {
      this.reset(stream, error);
    }
  }

  #onBlock({ streamId, isLast, bytes }: FieldBlock): void {
    const stream = this.#streams.find(streamId);
    // Decoded in any case, for the sake of the table.
    const fields = this.#decoder.decode(bytes);
    if (stream !== undefined) return this.#onStream(stream, () => stream.onSection(fields, isLast));
    this.#streams.late(streamId, 0);
    this.#budget.spend("fields for requests that were given up");
  }

  #onData(data: Frame): void {
    const { streamId, payload, flags } = data;
    const stream = this.#streams.find(streamId);
    const bytes = contentOf(data);
    // Given back at once: only the windows of streams hold a server up.
    this.#owed += payload.length;
    if (this.#owed >= CONNECTION_WINDOW / 2) {
      this.allow(0, this.#owed);
      this.#owed = 0;
    }
    const isLast = (flags & END_STREAM) !== 0;
    if (bytes.length === 0 && !isLast) this.#budget.spend("empty frames of data");
    if (stream === undefined) return this.#streams.late(streamId, payload.length);
    this.#onStream(stream, () => stream.onData(bytes, payload.length, isLast));
  }

  #onReset({ streamId, payload }: Frame): void {
    this.#budget.spend("resets");
    const stream = this.#streams.find(streamId);
    if (stream === undefined) return;
    const code = new Reader(payload).u32();
    if (code === REFUSED_STREAM) return this.#drop(stream, unprocessed("the server refused the request"));
    // After a whole response this only says that the rest of the request is not wanted (8.1).
    const isFine = stream.isAnswered && code === NO_ERROR;
    this.#drop(stream, isFine ? undefined : resetError("the request", code));
  }

  #onSettings({ flags, payload }: Frame): void {
    this.#budget.spend("SETTINGS");
    if ((flags & ACK) !== 0) {
      if (payload.length > 0) throw http2Error("FRAME_SIZE", "an acknowledgement with settings");
      if (--this.#acks < 0) throw http2Error("PROTOCOL", "an acknowledgement of nothing");
      return;
    }
    this.#hasSettings = true;
    const before = this.#peer.streamWindow;
    applySettings(payload, this.#peer);
    const change = this.#peer.streamWindow - before;
    for (const stream of this.#streams) this.#uploads.widen(change, stream);
    this.#writer.write(frame(SETTINGS, ACK, 0, new Uint8Array(0)));
  }

  #onPing({ flags, payload }: Frame): void {
    this.#budget.spend("PING");
    if ((flags & ACK) === 0) this.#writer.write(frame(PING, ACK, 0, payload));
  }

  #onGoaway(reader: Reader): void {
    this.#budget.spend("GOAWAY");
    const [lastId, code] = [reader.u32() & MAX_INT31, reader.u32()];
    if (lastId > this.#lastId) throw http2Error("PROTOCOL", "a GOAWAY that takes back an earlier one");
    this.#lastId = lastId;
    this.#isLeaving = true;
    if (code !== NO_ERROR) this.#goaway ??= resetError("the connection", code);
    for (const stream of [...this.#streams].filter(({ id }) => id > lastId)) {
      this.#drop(stream, unprocessed("the server closes the connection before the request"));
    }
    if (this.active === 0) this.#end(this.#goaway);
  }

  #onWindowUpdate({ streamId, payload }: Frame): void {
    this.#budget.spend("WINDOW_UPDATE");
    const bytes = new Reader(payload).u32() & MAX_INT31;
    const widen = (stream?: Http2Stream) => {
      if (bytes === 0) throw http2Error("PROTOCOL", "WINDOW_UPDATE of 0");
      stream?.watch.moved();
      this.#uploads.widen(bytes, stream);
    };
    if (streamId === 0) return widen();
    const stream = this.#streams.find(streamId);
    if (stream !== undefined) this.#onStream(stream, () => widen(stream));
  }
}
