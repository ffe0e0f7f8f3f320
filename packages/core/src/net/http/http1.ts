// An HTTP/1.1 connection: one request at a time, the next one once the last is sent whole and its response has ended
// (RFC 9112 9). No pipelining, no upgrade. Whatever is out of turn ends the connection, so that no byte of one response
// is ever taken for a part of another: bytes behind a response, an answer to a request that is not sent yet.

import { abortable, deferred, onAbort, throwIfAborted } from "../../base/abort.ts";
import type { ByteStream } from "../../base/byte-stream.ts";
import { isTorError, type TorError, toTorError } from "../../base/errors.ts";
import type { Clock } from "../../base/ports.ts";
import type { HttpConnection } from "./api.ts";
import { bodySource, type NextBytes } from "./body-source.ts";
import { badFraming, unanswered, unprocessed } from "./errors.ts";
import { type HttpBody, type HttpRequest, type HttpResponse, lengthOf } from "./exchange.ts";
import { withIdleLimit } from "./idle.ts";
import { HttpInput } from "./input.ts";
import { writeRequestHead } from "./request-head.ts";
import { bodyFraming, keepAliveTimeout, keepsConnection, readResponseHead } from "./response-head.ts";
import { startUpload, type Upload } from "./upload.ts";

export interface Http1Options {
  readonly clock: Clock;
  /** Milliseconds without a byte in either direction, while the request waits for one, until the connection fails. */
  readonly idleTimeout: number;
}

/** Milliseconds that a request may take to the server; one sent later than this before its time-out may come too late. */
const ON_THE_WAY = 2000;

/** Owns the stream. */
export class Http1Connection implements HttpConnection {
  readonly #stream: ByteStream;
  readonly #input: HttpInput;
  readonly #clock: Clock;
  readonly #closed = deferred<TorError | undefined>();
  /** "ending": the response is over, the rest of the request still goes out, and nothing follows. */
  #state: "free" | "busy" | "ending" | "over" = "free";
  /** Responses that have ended; after the first one the server may close at any time. */
  #served = 0;
  /** Monotonic time when the server closes the connection. */
  #freeUntil = Number.POSITIVE_INFINITY;
  #upload: Upload | undefined;

  constructor(stream: ByteStream, { clock, idleTimeout }: Http1Options) {
    this.#stream = withIdleLimit(stream, clock, idleTimeout);
    this.#input = new HttpInput(this.#stream);
    this.#clock = clock;
  }

  get isFree(): boolean {
    return this.#state === "free" && this.#clock.monotonic() < this.#freeUntil;
  }

  get active(): number {
    return this.#state === "busy" || this.#state === "ending" ? 1 : 0;
  }

  get closed(): Promise<TorError | undefined> {
    return this.#closed.promise;
  }

  async request(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
    throwIfAborted(signal);
    if (!this.isFree) throw unprocessed("the connection takes no further request");
    this.#state = "busy";
    const forget = onAbort(signal, (error) => this.close(error));
    try {
      // Raced with the signal, too: a stream may deliver what it already has after it was closed.
      return await abortable(this.#exchange(request, signal), signal);
    } finally {
      forget();
    }
  }

  close(reason?: unknown): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#upload?.stop(reason);
    this.#stream.close(reason);
    this.#closed.resolve(isTorError(reason) ? reason : undefined);
  }

  async #exchange(request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
    const before = this.#input.received;
    try {
      const bytes = writeRequestHead({ ...request.head, bodyLength: lengthOf(request) });
      const upload = startUpload(this.#stream, bytes, request.body);
      this.#upload = upload;
      return await this.#response(request.head.method, upload, signal);
    } catch (thrown) {
      const error = this.#served > 0 && this.#input.received === before ? asUnanswered(thrown) : thrown;
      this.close(error);
      throw error;
    }
  }

  async #response(method: string, upload: Upload, signal: AbortSignal | undefined): Promise<HttpResponse> {
    const head = await readResponseHead(this.#input);
    const framing = bodyFraming(head, method);
    // A server may answer before it has the whole request; what it takes the rest for then is anybody's guess.
    const keep = upload.isSent && keepsConnection(head, framing, method);
    const finish = () => {
      if (this.#state !== "busy") return;
      if (!keep) this.#end(upload, signal);
      else if (this.#input.isEmpty) this.#rest(keepAliveTimeout(head.fields));
      else this.close(badFraming("bytes behind the end of a response"));
    };
    const source = bodySource(this.#input, framing);
    // What has no bytes has ended, whether it is read or not.
    const ended = source === undefined || (framing.kind === "length" && framing.length === 0);
    if (ended) finish();
    return { ...head, body: source && bodyOf(source, ended, finish, (reason) => this.close(reason)) };
  }

  #end(upload: Upload, signal: AbortSignal | undefined): void {
    this.#state = "ending";
    const forget = onAbort(signal, (error) => this.close(error));
    void upload.done.then(() => {
      forget();
      this.close();
    });
  }

  /** Waits for the next request, and for what must not come before it. */
  #rest(timeout: number | undefined): void {
    const served = ++this.#served;
    this.#state = "free";
    if (timeout !== undefined) this.#freeUntil = this.#clock.monotonic() + timeout - ON_THE_WAY;
    const end = (reason?: unknown) => {
      if (this.#state === "free" && this.#served === served) this.close(reason);
    };
    this.#input.fill().then((more) => end(more ? badFraming("bytes between two responses") : undefined), end);
  }
}

function bodyOf(
  source: NextBytes,
  ended: boolean,
  finish: () => void,
  cancel: (reason?: unknown) => void,
): HttpBody {
  let over = ended;
  return {
    async next() {
      if (over) return undefined;
      try {
        const bytes = await source();
        if (bytes !== undefined || over) return bytes;
        over = true;
        finish();
        return undefined;
      } catch (error) {
        over = true;
        cancel(error);
        throw error;
      }
    },
    // The connection may by then be another request's.
    cancel(reason) {
      if (!over) cancel(reason);
      over = true;
    },
  };
}

/** What ended a kept connection, unless that was on our side. */
function asUnanswered(thrown: unknown): TorError {
  const error = toTorError(thrown);
  const { kind, code } = error;
  if (kind === "bad-api-usage" || kind === "aborted" || code === "ALLIUM_E_HTTP_IDLE") return error;
  return unanswered(kind === "protocol-violation" ? "remote-refused" : kind, error);
}
