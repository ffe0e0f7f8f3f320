// A service worker's way into Tor: requests of the worker's pages that a rule chooses are fetched through Tor and answered
// with streams (Service Workers, "fetch" event; Fetch 4.2). A request that was chosen never goes to the network: whatever
// fails, the page gets a Response that says so. Specified in docs/service-worker.md.
// Not here: documents of other sites, which need an origin of their own (the viewer); WebSockets, which no worker sees.

import { systemClock, type TorViewLike } from "@allium/core";
import { badApiUsage, throwIfAborted, withTimeout } from "@allium/core/internal";
import { answerOf, problemOf } from "./answer.ts";
import { bodyOf } from "./body.ts";
import { requestHeaders } from "./headers.ts";
import { compileRules, findTarget, type RouteMatch, type Target } from "./match.ts";

/** What fetches: a client in this worker or at the other end of a port, or a view of one. */
export type RouteClient = Pick<TorViewLike, "fetch">;

export interface TorRouteOptions {
  /** The client, or a function that gives it: asked for each request, so that a lost one can be replaced. */
  readonly client: RouteClient | (() => RouteClient | Promise<RouteClient>);
  /** What goes through Tor: what any of these matches. */
  readonly match: readonly RouteMatch[];
  /** The isolation key of a request; the target's host unless told otherwise. */
  readonly isolation?: (target: URL, request: Request) => string;
  /**
   * Whether documents, scripts, styles and workers may come this way. They then run with the rights of the URL that they have
   * in the page. Never possible for targets in a path of the own origin. False unless told otherwise.
   */
  readonly allowCode?: boolean;
  /** Largest body of a request in bytes; 64 MiB unless told otherwise. */
  readonly maxBodyBytes?: number;
}

/** A FetchEvent, as far as it is needed. */
export interface RouteEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
  stopImmediatePropagation(): void;
}

const MAX_BODY = 67_108_864;
/** Milliseconds for the function `client`, which may wait for a page to hand over a port. */
const CLIENT_TIMEOUT = 30_000;
/** Destinations (Fetch 2.2.5) that run nothing; what a browser adds one day is not among them. */
const DATA: ReadonlySet<string> = new Set(["", "audio", "font", "image", "track", "video"]);

/**
 * A listener for the worker's `fetch` event; add it before all others. Requests that no rule matches are left alone.
 * @throws TorError `bad-api-usage` for options that cannot be
 */
export function torRoute(options: TorRouteOptions): (event: RouteEvent) => void {
  const rules = compileRules(options.match, globalThis.location.origin);
  const find: Find = (url, request) => findTarget(rules, url, request);
  return (event) => {
    const answer = begin(options, find, event.request);
    if (answer === undefined) return;
    // A listener behind this one might fetch the same request from the network, or keep the answer.
    event.stopImmediatePropagation();
    event.respondWith(answer);
  };
}

type Find = (url: URL, request: Request) => Target | undefined;

/** Undefined when the request is not for Tor. The promise is never rejected. */
function begin(options: TorRouteOptions, find: Find, request: Request): Promise<Response> | undefined {
  try {
    const target = find(new URL(request.url), request);
    if (target === undefined) return undefined;
    return fetchTarget(options, find, request, target).catch((error) => problemOf(error, request));
  } catch (error) {
    return Promise.resolve(problemOf(error, request));
  }
}

async function fetchTarget(
  options: TorRouteOptions,
  find: Find,
  request: Request,
  { url, isMapped }: Target,
): Promise<Response> {
  const { client, allowCode = false, maxBodyBytes = MAX_BODY } = options;
  const { method, redirect, signal, destination, mode } = request;
  if ((isMapped || !allowCode) && (mode === "navigate" || !DATA.has(destination))) {
    throw badApiUsage("ALLIUM_E_ROUTE_CODE", `a ${destination || "document"} is not fetched by this route`);
  }
  const isolation = options.isolation?.(url, request) ?? url.host;
  const body = await bodyOf(request, maxBodyBytes);
  throwIfAborted(signal);
  const headers = requestHeaders(request.headers);
  const init = { method, headers, redirect, signal, isolation, ...(body && { body }) };
  const response = await (await clientOf(client, signal)).fetch(url.href, init);
  checkLocation(response, url, request, find);
  return answerOf(response, isMapped);
}

async function clientOf(client: TorRouteOptions["client"], signal: AbortSignal): Promise<RouteClient> {
  if (typeof client !== "function") return client;
  const error = () => badApiUsage("ALLIUM_E_ROUTE_CLIENT", "the route's client did not come in time");
  return withTimeout({ clock: systemClock, ms: CLIENT_TIMEOUT, signal, error }, async () => client());
}

/** The browser follows by itself where the worker does not: there, too, only through Tor. */
function checkLocation(response: Response, from: URL, request: Request, find: Find): void {
  const location = response.headers.get("location");
  if (location === null || response.status < 300 || response.status > 399) return;
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to !== undefined && find(to, request) !== undefined) return;
  response.body?.cancel().catch(() => {});
  throw badApiUsage("ALLIUM_E_ROUTE_REDIRECT", "the target redirects to where no rule of the route leads");
}
