// One request's stream, the receiving half of it: the head, the body with its window, the trailers (RFC 9113 5, 8.1).
// What throws here is an error of the stream alone; the connection answers it with RST_STREAM.

import { type Deferred, deferred } from "../../base/abort.ts";
import { abortedError, isTorError } from "../../base/errors.ts";
import type { NextBytes } from "../http/body-source.ts";
import { badFraming, badStatusLine, headLimit } from "../http/errors.ts";
import type { HttpResponse } from "../http/exchange.ts";
import { type Fields, valuesOf } from "../http/fields.ts";
import type { IdleWatch } from "../http/idle.ts";
import { isBodyless, MAX_INTERIM, parseLength, type ResponseHead } from "../http/response-head.ts";
import { BodyQueue } from "./body-queue.ts";
import { http2Error } from "./errors.ts";
import { checkTrailers, responseHead } from "./sections.ts";
import { STREAM_WINDOW } from "./settings.ts";

/** The largest window of one stream. */
const MAX_WINDOW = 4_194_304;

/** What a stream needs of its connection. */
export interface StreamHost {
  /** Lets the server send so many bytes more on the stream. */
  allow(streamId: number, bytes: number): void;
  /** Up to so many bytes by which windows may grow. */
  growth(wanted: number): number;
  /** Gives up the stream, if it is still open. */
  reset(stream: Http2Stream, error: unknown): void;
}

export class Http2Stream {
  readonly id: number;
  readonly watch: IdleWatch;
  readonly response: Deferred<HttpResponse> = deferred();
  /** Settles when nothing more comes or goes, with the error if it is one. */
  readonly closed: Deferred<unknown> = deferred();
  /** Bytes of the request that the server takes now; below 0 when it has changed its mind (6.9.2). */
  sendWindow: number;
  /** Whether all of the request was sent. */
  isSent = false;
  /** Whether all of the response has come. */
  isAnswered = false;
  readonly #method: string;
  readonly #host: StreamHost;
  readonly #queue = new BodyQueue((bytes) => this.#taken(bytes));
  /** What the server may still send. */
  #window = STREAM_WINDOW;
  #windowSize = STREAM_WINDOW;
  /** Bytes taken that the server was not told of yet. */
  #owed = 0;
  #interim = 0;
  #hasHead = false;
  /** Whether it is over, by its own end or another. */
  isClosed = false;
  /** Bytes of the body to come, where the head says how many. */
  #left: number | undefined;

  constructor(id: number, method: string, sendWindow: number, host: StreamHost, watch: IdleWatch) {
    this.id = id;
    this.#method = method;
    this.sendWindow = sendWindow;
    this.#host = host;
    this.watch = watch;
  }

  /** What the server may still send, for frames that come after the stream was given up. */
  get window(): number {
    return this.#window;
  }

  /** By how much its window has grown. */
  get grown(): number {
    return this.#windowSize - STREAM_WINDOW;
  }

  onSection(fields: Fields, isLast: boolean): void {
    this.watch.moved();
    if (this.isAnswered) throw http2Error("STREAM_CLOSED", "fields after the end of the response");
    if (this.#hasHead) {
      if (!isLast) throw http2Error("PROTOCOL", "a second head, or trailers that do not end the response");
      checkTrailers(fields);
      return this.#finish();
    }
    const head = responseHead(fields);
    if (head.status < 200) return this.#onInterim(head.status, isLast);
    this.#hasHead = true;
    const lengths = valuesOf(head.fields, "content-length");
    const length = lengths.length > 0 ? parseLength(lengths) : undefined;
    const hasBody = !isBodyless(this.#method, head.status);
    this.#left = hasBody ? length : 0;
    if (isLast) this.#finish();
    this.#answer(head, hasBody);
  }

  /** @param length bytes that count against the window: `bytes` and the padding */
  onData(bytes: Uint8Array, length: number, isLast: boolean): void {
    this.watch.moved();
    this.#window -= length;
    if (this.#window < 0) throw http2Error("FLOW_CONTROL", "more data than the stream's window allows");
    if (this.isAnswered) throw http2Error("STREAM_CLOSED", "data after the end of the response");
    if (!this.#hasHead) throw http2Error("PROTOCOL", "data before the head of the response");
    if (this.#left !== undefined) this.#left -= bytes.length;
    this.#checkLength(false);
    if (bytes.length > 0) this.#queue.push(bytes);
    if (isLast) return this.#finish();
    this.#give(length - bytes.length);
  }

  /** The end of everything, with the error that ended it, if any. What has come of the body can still be read. */
  close(error?: unknown): void {
    this.isClosed = true;
    this.watch.stop();
    this.response.reject(error);
    this.#queue.end({ error });
    this.closed.resolve(error);
  }

  #onInterim(status: number, isLast: boolean): void {
    if (isLast) throw badStatusLine("an interim response ends the stream");
    if (status === 101) throw badStatusLine("101 in HTTP/2 (RFC 9113 8.6)");
    if (++this.#interim > MAX_INTERIM) throw headLimit(`more than ${MAX_INTERIM} interim responses`);
  }

  #finish(): void {
    this.#checkLength(true);
    this.isAnswered = true;
    this.#queue.end({});
  }

  #checkLength(isWhole: boolean): void {
    const left = this.#left ?? 0;
    if (left < 0 || (isWhole && left > 0)) throw badFraming("a body that is not as long as the head says");
  }

  #answer(head: ResponseHead, hasBody: boolean): void {
    const { watch } = this;
    // Nobody waits for the end of nothing, and yet the server has to send it.
    if (!hasBody && !this.isAnswered) watch.waited(this.closed.promise);
    const next: NextBytes = () => watch.waited(this.#queue.next());
    const cancel = (reason?: unknown) => {
      const error = isTorError(reason) ? reason : abortedError(reason);
      this.#queue.clear();
      this.#queue.end({ error });
      this.#host.reset(this, error);
    };
    this.response.resolve({ ...head, body: hasBody ? { next, cancel } : undefined });
  }

  /** The reader took bytes. Where it has to wait for more, the window was too small, and grows. */
  #taken(bytes: number): void {
    if (this.#queue.isEmpty && this.#isReceiving && this.#owed + bytes >= this.#windowSize / 2) {
      const growth = this.#host.growth(Math.min(this.#windowSize, MAX_WINDOW - this.#windowSize));
      this.#windowSize += growth;
      this.#owed += growth;
    }
    this.#give(bytes);
  }

  #give(bytes: number): void {
    this.#owed += bytes;
    if (!this.#isReceiving || this.#owed < this.#windowSize / 2) return;
    this.#window += this.#owed;
    this.#host.allow(this.id, this.#owed);
    this.#owed = 0;
  }

  get #isReceiving(): boolean {
    return !this.isAnswered && !this.isClosed;
  }
}
