// The page's side of a route: whether a service worker stands between the page and the network at all. After a forced reload,
// or at a first visit before the worker claims its pages, none does, and what is asked for then goes to the server.

import { systemClock } from "@allium/core";
import { badApiUsage, deferred, withTimeout } from "@allium/core/internal";
import { pathOfTarget } from "./mapping.ts";

/** Milliseconds for a worker to be installed and to claim the page. */
const CONTROL_TIMEOUT = 10_000;

/**
 * Settles once a service worker controls this page. Await it before the first request that is meant for Tor.
 * @param options.timeout milliseconds, 10,000 unless told otherwise
 * @throws TorError `bad-api-usage` (`ALLIUM_E_ROUTE_UNCONTROLLED`), `aborted`
 */
export async function routeReady(options: { timeout?: number; signal?: AbortSignal } = {}): Promise<void> {
  const { timeout: ms = CONTROL_TIMEOUT, signal } = options;
  const workers = globalThis.navigator?.serviceWorker as ServiceWorkerContainer | undefined;
  const error = () =>
    badApiUsage("ALLIUM_E_ROUTE_UNCONTROLLED", "no service worker stands between this page and the network");
  if (workers === undefined) throw error();
  const controlled = deferred();
  const look = () => workers.controller && controlled.resolve();
  workers.addEventListener("controllerchange", look);
  look();
  try {
    await withTimeout({ clock: systemClock, ms, signal, error }, () => controlled.promise);
  } finally {
    workers.removeEventListener("controllerchange", look);
  }
}

/**
 * The path by which a route with the rule `prefix` fetches a URL: `/tor/http/example.com/`.
 * @param prefix as given to `match`, with its slashes
 * @throws TorError `bad-api-usage` for what is no `http:` or `https:` URL
 */
export function torPath(url: string | URL, prefix = "/tor/"): string {
  const path = URL.canParse(url) ? pathOfTarget(prefix, new URL(url)) : undefined;
  if (path === undefined) throw badApiUsage("ALLIUM_E_ROUTE_TARGET", "not a URL that goes through Tor");
  return path;
}
