// The Node bridge: an HTTP server that upgrades `/v1/connect` to WebSockets and joins each to a relay of the verified
// consensus. Specified in docs/protocol/bridge.md.
// Not here: access tokens, quotas and metrics.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import {
  type Log,
  memoryStore,
  type NetworkConfig,
  publicNetwork,
  type RelayAddress,
  type Store,
  systemClock,
} from "@allium/core";
import { watchConsensus } from "@allium/core/internal";
import { WebSocketServer } from "ws";
import { type BridgeLimits, defaultLimits } from "./limits.ts";
import { nodeDialer } from "./node-dialer.ts";
import { Pipe, type PipeContext } from "./pipe.ts";
import { serveDocument } from "./serve-document.ts";
import { DestinationPolicy, type Verdict } from "./shared/policy.ts";
import { CHECK_PATH, CLOSE, CONNECT_PATH, MAX_MESSAGE, SUBPROTOCOL } from "./shared/protocol.ts";
import { Snapshots } from "./snapshots.ts";

/** Before the name of a document of the directory. */
const DOCUMENT_PATH = "/dir/";

export interface BridgeOptions {
  /** Which Tor network; the public one unless told otherwise. */
  readonly network?: NetworkConfig;
  /** Where to listen; 127.0.0.1:8080 unless told otherwise. Port 0 takes a free one. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** Keeps the verified consensus between runs; in memory unless told otherwise. */
  readonly store?: Store;
  readonly log?: Log;
  /**
   * Whether the directory's documents are served for clients to start from; true unless told otherwise. The bridge then
   * fetches all microdescriptors too, and of the public network keeps 70 MB in memory beside its store.
   */
  readonly snapshots?: boolean;
  readonly limits?: Partial<BridgeLimits>;
}

export interface Bridge {
  /** Starts listening and fetching the consensus. @returns the base URL for clients, e.g. "ws://127.0.0.1:8080/" */
  listen(): Promise<string>;
  /** Whether a verified, live consensus is held. */
  readonly isReady: boolean;
  /** Fulfilled when the first consensus is verified. */
  readonly ready: Promise<void>;
  /** WebSockets open now. */
  readonly connections: number;
  /** Refuses new connections, closes open ones with 4503, stops listening. */
  close(): Promise<void>;
}

const REFUSALS: Record<Exclude<Verdict, "allowed">, { code: number; reason: string }> = {
  "internal-address": { code: CLOSE.denied, reason: "internal addresses are never dialled" },
  "not-a-relay": { code: CLOSE.denied, reason: "not a relay of the verified consensus" },
  "no-consensus": { code: CLOSE.draining, reason: "no verified consensus yet" },
};

/** A bridge in this process. Call `listen()` to start it. */
export function createBridge(options: BridgeOptions = {}): Bridge {
  return new NodeBridge(options);
}

class NodeBridge implements Bridge, PipeContext {
  readonly limits: BridgeLimits;
  readonly ready: Promise<void>;
  readonly #network: NetworkConfig;
  readonly #policy: DestinationPolicy;
  readonly #listen: { readonly host: string; readonly port: number };
  readonly #store: Store;
  readonly #snapshots: Snapshots | undefined;
  readonly #log: Log;
  readonly #http: Server;
  readonly #upgrader: WebSocketServer;
  readonly #pipes = new Set<Pipe>();
  readonly #stop = new AbortController();
  #draining = false;
  #setReady: () => void = () => {};

  constructor(options: BridgeOptions) {
    this.limits = { ...defaultLimits, ...options.limits };
    this.#network = options.network ?? publicNetwork;
    this.#policy = new DestinationPolicy(this.#network);
    this.#listen = options.listen ?? { host: "127.0.0.1", port: 8080 };
    this.#log = options.log ?? (() => {});
    const store = options.store ?? memoryStore();
    if (options.snapshots ?? true)
      this.#snapshots = new Snapshots({ store, network: this.#network, log: this.#log });
    this.#store = this.#snapshots?.store ?? store;
    this.ready = new Promise((resolve) => {
      this.#setReady = resolve;
    });
    const { headerTimeout } = this.limits;
    this.#http = createServer(
      // Node looks for late headers every 30 s only unless it is told otherwise.
      { maxHeaderSize: 8192, headersTimeout: headerTimeout, connectionsCheckingInterval: headerTimeout / 5 },
      (request, response) => this.#onRequest(request, response),
    );
    this.#upgrader = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_MESSAGE,
      perMessageDeflate: false,
      handleProtocols: () => SUBPROTOCOL,
    });
    this.#http.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket, head));
  }

  get isReady(): boolean {
    return this.#policy.isReady(Date.now());
  }

  get connections(): number {
    return this.#pipes.size;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once("error", reject);
      this.#http.listen(this.#listen.port, this.#listen.host, resolve);
    });
    void this.#followConsensus();
    const { address, port, family } = this.#http.address() as AddressInfo;
    this.#log({
      level: "info",
      code: "bridge.listening",
      message: "the bridge is listening",
      data: { port },
    });
    return `ws://${family === "IPv6" ? `[${address}]` : address}:${port}/`;
  }

  async close(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#stop.abort();
    this.#snapshots?.close();
    const stopped = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    for (const pipe of this.#pipes) pipe.end(CLOSE.draining, "the bridge is going down");
    const deadline = setTimeout(() => {
      for (const ws of this.#upgrader.clients) ws.terminate();
      // Node no longer times out those that have not finished their request.
      this.#http.closeAllConnections();
    }, this.limits.drainTimeout);
    this.#http.closeIdleConnections();
    await stopped;
    clearTimeout(deadline);
  }

  refuse(destination: RelayAddress): { code: number; reason: string } | undefined {
    const verdict = this.#policy.judge(destination, Date.now());
    return verdict === "allowed" ? undefined : REFUSALS[verdict];
  }

  onEnd(pipe: Pipe): void {
    this.#pipes.delete(pipe);
  }

  async #followConsensus(): Promise<void> {
    try {
      await watchConsensus({
        network: this.#network,
        dialer: nodeDialer({ timeout: this.limits.dialTimeout }),
        store: this.#store,
        clock: systemClock,
        log: this.#log,
        signal: this.#stop.signal,
        microdescriptors: this.#snapshots !== undefined,
        onNetDir: (netdir) => {
          this.#policy.add(netdir);
          this.#snapshots?.add(netdir);
          const relays = this.#policy.size(Date.now());
          this.#log({
            level: "info",
            code: "bridge.consensus",
            message: "consensus verified",
            data: { relays },
          });
          this.#setReady();
        },
      });
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      this.#log({ level: "error", code: "bridge.consensus-failed", message });
    }
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url?.split("?")[0];
    if (request.method !== "GET" && request.method !== "HEAD")
      return sendJson(response, 405, { error: "method not allowed" });
    if (path === "/health") return sendJson(response, 200, { status: "ok" });
    if (path === "/ready") {
      const ready = this.isReady && !this.#draining;
      return sendJson(response, ready ? 200 : 503, { ready, draining: this.#draining });
    }
    if (path === CHECK_PATH)
      return sendJson(response, 200, { up: true, ready: this.isReady, protocol: SUBPROTOCOL });
    if (path === CONNECT_PATH) return sendJson(response, 426, { error: "this path speaks WebSocket only" });
    if (path?.startsWith(DOCUMENT_PATH) && this.#serveDocument(path, request, response)) return;
    return sendJson(response, 404, { error: "not found" });
  }

  /** @returns false where there is no such document */
  #serveDocument(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const found = this.#snapshots?.find(path.slice(DOCUMENT_PATH.length), Date.now());
    if (found === undefined) return false;
    const timeout = this.limits.documentTimeout;
    serveDocument(request, response, found.document, { maxAge: found.maxAge, timeout });
    return true;
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => {});
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    if (request.url?.split("?")[0] !== CONNECT_PATH) return refuseUpgrade(socket, "404 Not Found");
    if (!offered.includes(SUBPROTOCOL)) return refuseUpgrade(socket, "400 Bad Request");
    if (this.#draining || this.#pipes.size >= this.limits.maxConnections) {
      return refuseUpgrade(socket, "503 Service Unavailable");
    }
    this.#upgrader.handleUpgrade(request, socket, head, (ws) => {
      this.#pipes.add(new Pipe(ws, this));
    });
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const headers = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "access-control-allow-origin": "*",
  };
  response.writeHead(status, headers).end(JSON.stringify(body));
}

function refuseUpgrade(socket: Duplex, status: string): void {
  // Nothing watches an upgraded socket any more: half closed, the client could hold it for ever.
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
