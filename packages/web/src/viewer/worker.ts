// The entry @allium/web/viewer/worker: the service worker of an origin that shows a site. It answers every request of that
// origin but those for the viewer's own three files; it holds no client and no state, and asks the embedding page, through
// the viewer's hidden frame, for a port to one. A program, not a module to import names from.

import { systemClock } from "@allium/core";
import { type Deferred, deferred, withTimeout } from "@allium/core/internal";
import { connectTorClient } from "../remote/index.ts";
import { portAcrossOrigins } from "./port.ts";
import { type Access, noAccess, respond } from "./respond.ts";
import {
  type ControlMessage,
  FRAME_PAGE,
  FRAME_SCRIPT,
  type Place,
  type PortsMessage,
  PREFIXES,
  placeOf,
  WANT,
  WORKER_SCRIPT,
} from "./space.ts";

interface WorkerEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface FetchEventLike extends WorkerEvent {
  readonly request: Request;
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}
interface InstallEventLike extends WorkerEvent {
  addRoutes?(rules: object): Promise<void>;
}
interface ClientLike {
  readonly url: string;
  postMessage(message: unknown): void;
}
interface WorkerScope {
  readonly location: Location;
  readonly clients: {
    claim(): Promise<void>;
    get(id: string): Promise<ClientLike | undefined>;
    matchAll(options: object): Promise<ClientLike[]>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: "fetch", listener: (event: FetchEventLike) => void): void;
  addEventListener(type: "install", listener: (event: InstallEventLike) => void): void;
  addEventListener(type: "activate", listener: (event: WorkerEvent) => void): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** Milliseconds for the embedding page to hand over ports. */
const PORT_TIMEOUT = 10_000;
const OWN_FILES: ReadonlySet<string> = new Set([FRAME_PAGE, FRAME_SCRIPT, WORKER_SCRIPT]);

const isFrame = ({ url }: ClientLike) => new URL(url).pathname === FRAME_PAGE;

class ViewerWorker {
  readonly #scope: WorkerScope;
  #access: Access | undefined;
  #wanted: Deferred<Access> | undefined;

  constructor(scope: WorkerScope) {
    this.#scope = scope;
    scope.addEventListener("fetch", (event) => this.#fetch(event));
    scope.addEventListener("message", (event) => this.#takePorts(event));
    scope.addEventListener("install", (event) => {
      // Chromium may otherwise ask the network beside the worker.
      const rule = { condition: { urlPattern: { pathname: "/*" } }, source: "fetch-event" };
      event.waitUntil(Promise.all([event.addRoutes?.(rule).catch(() => {}), scope.skipWaiting()]));
    });
    scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
  }

  #fetch(event: FetchEventLike): void {
    const { origin, pathname } = new URL(event.request.url);
    if (origin !== this.#scope.location.origin || !OWN_FILES.has(pathname))
      event.respondWith(this.#answer(event).catch(() => Response.error()));
  }

  async #answer({ request, clientId }: FetchEventLike): Promise<Response> {
    const place = await this.#placeOf(new URL(request.url), clientId);
    if (place === undefined) return new Response(null, { status: 404 });
    return respond(await this.#findAccess(), request, place);
  }

  /** Scripts ask for paths of their site as if it were at home. */
  async #placeOf(url: URL, clientId: string): Promise<Place | undefined> {
    if (url.origin !== this.#scope.location.origin) return undefined;
    const place = placeOf(url);
    if (place !== undefined || !this.#access?.scripts) return place;
    const client = await this.#scope.clients.get(clientId);
    const from = client && placeOf(new URL(client.url));
    return from && { prefix: PREFIXES.data, target: new URL(url.pathname + url.search, from.target) };
  }

  #takePorts({ data, ports, source }: MessageEvent): void {
    const { type, site, scripts } = data as PortsMessage;
    const [port, control] = ports;
    if (type !== "allium-ports" || !isFrame(source as unknown as ClientLike) || !port || !control) return;
    const client = connectTorClient(portAcrossOrigins(port));
    const access = { client, site, scripts, tell: (message: ControlMessage) => control.postMessage(message) };
    this.#access = access;
    client.addEventListener("status", ({ detail }) => {
      if (detail.blocked?.code === "ALLIUM_E_REMOTE_LOST" && this.#access === access)
        this.#access = undefined;
    });
    this.#wanted?.resolve(access);
    access.tell({ type: "ready" });
  }

  /** A worker that was started anew has no ports: the viewer's hidden frame gets new ones. */
  async #findAccess(): Promise<Access> {
    if (this.#access !== undefined) return this.#access;
    this.#wanted ??= deferred();
    const { promise } = this.#wanted;
    for (const client of await this.#scope.clients.matchAll({ includeUncontrolled: true, type: "window" }))
      if (isFrame(client)) client.postMessage(WANT);
    try {
      return await withTimeout({ clock: systemClock, ms: PORT_TIMEOUT, error: noAccess }, () => promise);
    } finally {
      this.#wanted = undefined;
    }
  }
}

new ViewerWorker(globalThis as unknown as WorkerScope);
