// The entry @allium/web/shared: one client for all tabs of an origin and its service worker, wherever it runs. None of Tor's
// own code is in here.

import { systemClock } from "@allium/core";
import { badApiUsage } from "@allium/core/internal";
import { askPersistence, watchPage } from "../platform.ts";
import { startError } from "../remote/errors.ts";
import type { WorkerClientOptions } from "../remote/index.ts";
import { optionsJson } from "../remote/options.ts";
import type { WakeMessage } from "./control.ts";
import { inSharedWorker, inWorker, isServiceWorker, type Place } from "./places.ts";
import { SharedTorClient } from "./shared-client.ts";

export { inThread } from "./places.ts";
export type { SharedTorClient } from "./shared-client.ts";

/** Where the client runs: in a SharedWorker, in one of the tabs, or in the service worker. */
export type HostKind = "shared-worker" | "tab" | "service-worker";

/** A client's options, as far as they can go to a worker, and what it may run in. All contexts of an origin give the same. */
export interface SharedClientOptions extends Omit<WorkerClientOptions, "worker"> {
  /** Makes a SharedWorker that runs `@allium/web/worker`. */
  readonly sharedWorker?: () => SharedWorker;
  /** Makes a Worker that runs `@allium/web/worker`, where there are no SharedWorkers. */
  readonly worker?: () => Worker;
  /** `inThread(createTorClient)`: for a service worker, and for a page where no worker can be. */
  readonly thread?: Place;
  /** In place of the first that the browser has. */
  readonly host?: HostKind;
}

/** Milliseconds for which one wake message keeps a service worker; pages that nobody sees send one a minute. */
const AWAKE = 90_000;

/**
 * The client that all tabs and the service worker share: one for each `storeName`. Returns at once; what is wrong shows in
 * the calls and in the status. When its host is gone another one takes over: what was running fails with
 * `ALLIUM_E_REMOTE_LOST`, new calls go there. In a service worker, call it while the script is first run.
 * @throws TorError `bad-api-usage` for options that cannot be
 */
export function createSharedClient(all: SharedClientOptions): SharedTorClient {
  const { sharedWorker, worker, thread, host, persist = true, ...options } = all;
  const json = optionsJson(options);
  if (globalThis.navigator?.locks === undefined)
    throw startError("a client for all tabs needs Web Locks, and so a secure context");
  const { storeName: name = "allium" } = options;
  // A service worker that runs anyway is not to be the host only because it was first.
  const eager = !isServiceWorker();
  const place = placeFor(all);
  const client = new SharedTorClient({ name, options: json, place, eager });
  if (isServiceWorker()) answerWake(client, name);
  watchPage(client);
  watchUnloading(client);
  if (persist) askPersistence(client);
  return client;
}

function placeFor({ sharedWorker, worker, thread, host }: SharedClientOptions): Place | undefined {
  const may = (kind: HostKind) => host === undefined || host === kind;
  if (isServiceWorker()) return may("service-worker") ? thread : undefined;
  if (host === "service-worker") return undefined;
  if (may("shared-worker") && sharedWorker && "SharedWorker" in globalThis)
    return inSharedWorker(sharedWorker);
  if (may("tab") && worker) return inWorker(worker);
  if (may("tab") && thread) return thread;
  throw badApiUsage("ALLIUM_E_BAD_OPTIONS", "nothing that a shared client could run in was given");
}

/** Where there is a page. A service worker ends without a word. */
function watchUnloading(client: SharedTorClient): void {
  const page = globalThis as Partial<typeof globalThis>;
  if (page.document === undefined) return;
  page.addEventListener?.("pagehide", () => client.unloaded(true));
  page.addEventListener?.("pageshow", ({ persisted }) => persisted && client.unloaded(false));
}

/** A page that needs this service worker to run the client says so again and again. */
function answerWake(client: SharedTorClient, name: string): void {
  globalThis.addEventListener("message", (event: Event) => {
    const woken = event as ExtendableMessageEvent;
    if (woken.data?.type !== "allium/wake" || woken.data.name !== name) return;
    client.begin();
    woken.waitUntil(systemClock.timer(AWAKE).fired);
  });
}

/** A service worker's event, as far as it is used. */
interface ExtendableMessageEvent extends Event {
  readonly data: Partial<WakeMessage> | null | undefined;
  waitUntil(until: Promise<unknown>): void;
}
