// fetch over Tor (Fetch standard, for http:, https: and data:): what was asked for, redirects, and the Response.
// Not in this room: how a stream is opened, which circuit carries it, which destinations an exit is never asked for.

import { abortable, settledWithin, throwIfAborted } from "../base/abort.ts";
import { systemClock } from "../base/clock.ts";
import { badApiUsage, type TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { SecureOpener } from "./api.ts";
import { connectionOpener } from "./connections/open.ts";
import { ConnectionPool } from "./connections/pool.ts";
import { dataResponse } from "./data-url.ts";
import { fetchRejection } from "./fetch-error.ts";
import { type FetchRequest, type PreparedRequest, portOf, prepareRequest } from "./fetch-request.ts";
import { makeResponse } from "./fetch-response.ts";
import type { HttpResponse } from "./http/exchange.ts";
import type { Http1Options } from "./http/http1.ts";
import { discard, readAhead } from "./http/read-ahead.ts";
import type { RequestBody } from "./http/upload.ts";
import { type FetchProgress, told } from "./progress.ts";
import { redirectedRequest } from "./redirect.ts";

export interface TorFetchInit extends RequestInit {
  /** Requests with different keys never share a circuit. */
  readonly isolation?: string;
  /** Accepted for streaming request bodies; the response may nevertheless come before the request is sent whole. */
  readonly duplex?: "half";
  /** Milliseconds for all of it, the response's body included; as if `signal` were `AbortSignal.timeout` of it besides. */
  readonly timeout?: number;
  /** Told of each piece of a body that goes through. */
  readonly onProgress?: (progress: FetchProgress) => void;
}

export interface FetcherOptions extends Partial<Http1Options> {
  /** Milliseconds after which a connection takes no further request; 10 minutes, as a circuit. */
  readonly maxAge?: number;
}

/** As long as browsers wait for an answer. */
const IDLE_TIMEOUT = 300_000;
const MAX_AGE = 600_000;
/** Milliseconds that the body of a redirect may take, so that its connection can be used again. */
const DISCARD_TIME = 200;

/** Fetches, and keeps the connections for what is fetched next. */
export class Fetcher {
  readonly #pool: ConnectionPool;
  readonly #clock: Clock;

  constructor(opener: SecureOpener, options: FetcherOptions = {}) {
    const { clock = systemClock, idleTimeout = IDLE_TIMEOUT, maxAge = MAX_AGE } = options;
    this.#clock = clock;
    this.#pool = new ConnectionPool({
      ...{ clock, maxAge, waitTimeout: idleTimeout },
      open: connectionOpener(opener, { clock, idleTimeout }),
    });
  }

  /**
   * Fetches an `http:`, `https:` or `data:` URL. The Response is a real one: streaming, with back-pressure up to the sender,
   * decoded, with `url` and `redirected` set; with `redirect: "manual"` it is the redirect itself, readable.
   * @param isolation requests with different keys share neither circuits nor connections
   * @throws TorFetchError, a TypeError with `kind` and `code`; or the signal's reason
   */
  async fetch(
    input: string | URL | Request,
    init: TorFetchInit = {},
    isolation: string | undefined = init.isolation,
  ): Promise<Response> {
    const signal = signalOf(input, init);
    const { era } = this.#pool;
    let request: PreparedRequest | undefined;
    try {
      throwIfAborted(signal);
      request = await abortable(prepareRequest(input, init), signal);
      return await this.#follow(request, { isolation, signal, era, onProgress: init.onProgress });
    } catch (error) {
      const rejection = fetchRejection(error, signal);
      // Whoever feeds a body that will not be sent is told so; one that is being sent is locked and told elsewhere.
      const source = request?.body?.replayable === false ? request.body.open() : givenStream(input, init);
      if (source?.locked === false) source.cancel(rejection).catch(() => {});
      throw rejection;
    }
  }

  /** Lets new requests have new connections; what is under way goes on. */
  clear(): void {
    this.#pool.clear();
  }

  /** Ends all connections; further requests are refused with the error. */
  close(error: TorError): void {
    this.#pool.close(error);
  }

  async #follow(request: PreparedRequest, context: Context): Promise<Response> {
    const { redirect, integrity } = request;
    let asked: FetchRequest = request;
    for (let followed = 0; ; followed++) {
      const { url } = asked;
      const response = url.protocol === "data:" ? dataResponse(url) : await this.#send(asked, context);
      try {
        const next = redirectedRequest(asked, response, redirect, followed);
        if (next === undefined) {
          return await makeResponse(response, { ...context, url, redirected: followed > 0, integrity });
        }
        asked = next;
      } catch (error) {
        response.body?.cancel(error);
        throw error;
      }
      await this.#discard(response);
    }
  }

  async #send({ url, method, headers, body }: FetchRequest, context: Context): Promise<HttpResponse> {
    const { isolation, signal, era, onProgress } = context;
    // A name has been lower-cased and turned into ASCII by the URL; brackets belong to the URL alone.
    const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const origin = { secure: url.protocol === "https:", hostname, port: portOf(url) };
    const head = { method, target: url.pathname + url.search, host: url.host, fields: [...headers] };
    const request = { head, body: body && onProgress ? withProgress(body, onProgress) : body };
    const response = await this.#pool.request(origin, isolation, request, signal, era);
    return { ...response, body: response.body && readAhead(response.body) };
  }

  async #discard({ body }: HttpResponse): Promise<void> {
    if (body === undefined) return;
    await settledWithin(this.#clock, DISCARD_TIME, discard(body));
    body.cancel();
  }
}

function givenStream(input: string | URL | Request, init: TorFetchInit): ReadableStream | undefined {
  const body = init.body ?? (input instanceof Request ? input.body : undefined);
  return body instanceof ReadableStream ? body : undefined;
}

interface Context {
  readonly isolation: string | undefined;
  /** When it began; see ConnectionPool. */
  readonly era: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: TorFetchInit["onProgress"];
}

function withProgress(body: RequestBody, tell: (progress: FetchProgress) => void): RequestBody {
  return { ...body, open: () => told(body.open(), "upload", body.length, tell) };
}

/**
 * What aborts a fetch: the init's signal, `null` meaning none, or else the Request's; and the init's timeout.
 * @throws TorFetchError for a timeout that is none
 */
export function signalOf(
  input: string | URL | Request,
  { signal, timeout }: TorFetchInit,
): AbortSignal | undefined {
  const given = signal === undefined && input instanceof Request ? input.signal : (signal ?? undefined);
  if (timeout === undefined) return given;
  if (!(timeout > 0 && timeout <= 2 ** 31)) {
    throw fetchRejection(
      badApiUsage("ALLIUM_E_FETCH_INIT", "timeout is not a number of milliseconds"),
      undefined,
    );
  }
  const limit = AbortSignal.timeout(timeout);
  return given === undefined ? limit : AbortSignal.any([given, limit]);
}
