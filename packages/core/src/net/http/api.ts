// What fetch needs of a connection to a server, whichever version of HTTP is spoken on it (RFC 9110).

import type { TorError } from "../../base/errors.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";

/** One connection to one origin. HTTP/1.1 takes one request after another, HTTP/2 several at once. */
export interface HttpConnection {
  /** Whether a further request may be begun now. */
  readonly isFree: boolean;
  /** Requests that are not over: their response has not ended, or they are still being sent. */
  readonly active: number;
  /**
   * Sends the request; settles with the head of its response. Aborting gives up this request alone (HTTP/2), or the
   * connection with it (HTTP/1.1).
   * @throws TorError; with `ALLIUM_E_HTTP_UNPROCESSED` where the server surely did nothing about it, so that any request may
   *   be sent again on another connection (RFC 9113 8.7)
   */
  request(request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse>;
  /** Settles when the connection is over, its requests too, with the reason where it is a failure. */
  readonly closed: Promise<TorError | undefined>;
  /** Ends it at once, whatever is under way. Idempotent. */
  close(reason?: unknown): void;
}
