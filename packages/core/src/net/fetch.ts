// fetch over Tor (Fetch standard, for http: so far): one stream for each request, none of them linked to another.
// Not in this room: how a stream is opened, which circuit carries it, which destinations an exit is never asked for.

import { abortable, onAbort, throwIfAborted } from "../base/abort.ts";
import { systemClock } from "../base/clock.ts";
import type { Clock } from "../base/ports.ts";
import type { TorStream } from "../circuit/api.ts";
import type { StreamOpener } from "./api.ts";
import { fetchRejection } from "./fetch-error.ts";
import { type FetchRequest, portOf, prepareRequest } from "./fetch-request.ts";
import { makeResponse } from "./fetch-response.ts";
import { exchange, type HttpResponse } from "./http/exchange.ts";
import { withIdleLimit } from "./http/idle.ts";
import { redirectedRequest } from "./redirect.ts";

export interface TorFetchInit extends RequestInit {
  /** Requests with different keys never share a circuit. */
  readonly isolation?: string;
  /** Accepted for streaming request bodies; the response may nevertheless come before the request is sent whole. */
  readonly duplex?: "half";
}

export interface TorFetchLimits {
  readonly clock?: Clock;
  /** Milliseconds without a byte in either direction, while the request waits for one, until it fails; 5 minutes. */
  readonly idleTimeout?: number;
}

/** As long as browsers wait for an answer. */
const IDLE_TIMEOUT = 300_000;

interface Context {
  readonly opener: StreamOpener;
  readonly isolation: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly idleTimeout: number;
}

/**
 * Fetches an `http:` URL. The Response is a real one: streaming, with back-pressure up to the sender, decoded (gzip and
 * deflate), with `url` and `redirected` set; with `redirect: "manual"` it is the redirect itself, readable.
 * @throws TorFetchError, a TypeError with `kind` and `code`; or the signal's reason
 */
export async function torFetch(
  opener: StreamOpener,
  input: string | URL | Request,
  init: TorFetchInit = {},
  limits: TorFetchLimits = {},
): Promise<Response> {
  const signal = signalOf(input, init);
  const { clock = systemClock, idleTimeout = IDLE_TIMEOUT } = limits;
  const context = { opener, isolation: init.isolation, signal, clock, idleTimeout };
  let request: Awaited<ReturnType<typeof prepareRequest>> | undefined;
  try {
    throwIfAborted(signal);
    request = await abortable(prepareRequest(input, init), signal);
    return await follow(context, request, request.redirect);
  } catch (error) {
    const rejection = fetchRejection(error, signal);
    // Whoever feeds a body that will not be sent is told so; one that is being sent is locked and told elsewhere.
    if (request?.body?.replayable === false)
      request.body
        .open()
        .cancel(rejection)
        .catch(() => {});
    throw rejection;
  }
}

/** What aborts a fetch: the init's signal, `null` meaning none, or else the Request's. */
export function signalOf(input: string | URL | Request, init: TorFetchInit): AbortSignal | undefined {
  if (init.signal !== undefined) return init.signal ?? undefined;
  return input instanceof Request ? input.signal : undefined;
}

async function follow(
  context: Context,
  request: FetchRequest,
  mode: "follow" | "error" | "manual",
): Promise<Response> {
  for (let followed = 0; ; followed++) {
    const response = await send(context, request);
    try {
      const next = redirectedRequest(request, response, mode, followed);
      if (next === undefined) {
        return makeResponse(response, { url: request.url, redirected: followed > 0, signal: context.signal });
      }
      request = next;
    } catch (error) {
      response.body?.cancel(error);
      throw error;
    }
    response.body?.cancel();
  }
}

async function send(context: Context, request: FetchRequest): Promise<HttpResponse> {
  const { signal, clock, idleTimeout } = context;
  const stream = withIdleLimit(await open(context, request.url), clock, idleTimeout);
  const forget = onAbort(signal, (error) => stream.close(error));
  try {
    const { url, method, headers, body } = request;
    const head = { method, target: url.pathname + url.search, host: url.host, fields: [...headers] };
    // Raced with the signal, too: a stream may deliver what it already has after it was closed.
    return await abortable(exchange(stream, { head, body }), signal);
  } finally {
    forget();
  }
}

async function open({ opener, isolation, signal }: Context, url: URL): Promise<TorStream> {
  // A name has been lower-cased and turned into ASCII by the URL; brackets belong to the URL alone.
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const opening = opener.openStream({ hostname, port: portOf(url), isolation, signal });
  try {
    return await abortable(opening, signal);
  } catch (error) {
    opening.then((late) => late.close(error)).catch(() => {});
    throw error;
  }
}
