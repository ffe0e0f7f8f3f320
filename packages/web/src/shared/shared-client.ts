// The one client of an origin as each of its tabs has it: whoever runs it, and however often that changes. What runs when
// it changes fails with ALLIUM_E_REMOTE_LOST; what is asked afterwards goes to the one that took over.

import {
  type CheckOptions,
  type CheckResult,
  type CircuitInfo,
  type ClientStats,
  type ClientStatus,
  type DetailEvent,
  type DiagnoseOptions,
  type Diagnosis,
  type ResolvedAddress,
  type ResolveOptions,
  type SocketAddress,
  systemClock,
  type TorClientEvents,
  type TorClientLike,
  type TorFetchInit,
  type TorSocket,
  type TorSocketOptions,
  type TorViewLike,
  type TorWebSocketConstructor,
} from "@allium/core";
import { TypedEventTarget } from "@allium/core/internal";
import { EVENT_NAMES, type EventName } from "../remote/protocol.ts";
import { RemoteTorClient } from "../remote/remote-client.ts";
import { webSocketOver } from "../remote/web-socket.ts";
import { HostPort } from "./host-port.ts";
import type { Place } from "./places.ts";

/** Milliseconds between two losses; a client lost sooner is looked for again when it is used, so that a crash is no loop. */
const LOSS_INTERVAL = 1000;

export interface SharedOptions {
  readonly name: string;
  /** JSON of the client's options. */
  readonly options: string;
  readonly place: Place | undefined;
  /** Whether the client is looked for unasked, so that its events are heard. */
  readonly eager: boolean;
}

interface Current {
  readonly client: RemoteTorClient;
  readonly port: HostPort;
}

class SharedView implements TorViewLike {
  /** One class, whichever client its connections go through. */
  readonly WebSocket: TorWebSocketConstructor = webSocketOver(this);
  readonly #view: () => TorViewLike;

  constructor(view: () => TorViewLike) {
    this.#view = view;
  }

  async fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response> {
    return this.#view().fetch(input, init);
  }

  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket {
    return this.#view().connect(address, options);
  }

  async resolve(hostname: string, options?: ResolveOptions): Promise<ResolvedAddress[]> {
    return this.#view().resolve(hostname, options);
  }

  /** The key stays when the client is another one. */
  isolate(key: string): TorViewLike {
    // A key that cannot be is refused now.
    this.#view().isolate(key);
    return new SharedView(() => this.#view().isolate(key));
  }
}

/** Made by `createSharedClient`. `close()` ends what this context began, and the client with the last that uses it. */
export class SharedTorClient extends TypedEventTarget<TorClientEvents> implements TorClientLike {
  readonly guards: TorClientLike["guards"];
  readonly #options: SharedOptions;
  readonly #view = new SharedView(() => this.begin());
  readonly WebSocket: TorWebSocketConstructor = this.#view.WebSocket;
  #current: Current | undefined;
  #closing = false;
  #isUnloaded = false;
  #measuring = false;
  #lastLoss = Number.NEGATIVE_INFINITY;
  #status: ClientStatus = { fraction: 0, phase: "bridge", ready: false };

  constructor(options: SharedOptions) {
    super();
    this.#options = options;
    this.guards = {
      export: async () => this.begin().guards.export(),
      import: async (state) => this.begin().guards.import(state),
      reset: async () => this.begin().guards.reset(),
    };
    if (options.eager) this.begin();
  }

  /** Looks for the client, and runs it here if it must be. */
  begin(): RemoteTorClient {
    this.#current ??= this.#open();
    return this.#current.client;
  }

  /**
   * The page is being unloaded, or shown again: a client that runs here ends now, so that nobody finds it in the meantime in
   * which browsers still run its worker.
   */
  unloaded(isUnloaded: boolean): void {
    this.#isUnloaded = isUnloaded;
    if (isUnloaded) this.#current?.port.lose();
    else if (this.#options.eager && !this.#closing) this.begin();
  }

  /** As of any EventTarget. `metric` events are made once somebody has listened to them. */
  override addEventListener<K extends keyof TorClientEvents & string>(
    type: K,
    listener: (event: DetailEvent<TorClientEvents[K]>) => void,
    options?: { once?: boolean; signal?: AbortSignal },
  ): void {
    super.addEventListener(type, listener, options);
    if (type !== "metric" || this.#measuring) return;
    this.#measuring = true;
    if (this.#current !== undefined) this.#forward(this.#current.client, type);
  }

  get status(): ClientStatus {
    return this.#status;
  }

  async ready(options?: { readonly signal?: AbortSignal }): Promise<void> {
    return this.begin().ready(options);
  }

  fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response> {
    return this.#view.fetch(input, init);
  }

  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket {
    return this.#view.connect(address, options);
  }

  resolve(hostname: string, options?: ResolveOptions): Promise<ResolvedAddress[]> {
    return this.#view.resolve(hostname, options);
  }

  isolate(key: string): TorViewLike {
    return this.#view.isolate(key);
  }

  newIdentity(): void {
    this.begin().newIdentity();
  }

  /** See TorClient. */
  networkChanged(): void {
    this.#current?.client.networkChanged();
  }

  /** See TorClient. */
  resumed(): void {
    this.#current?.client.resumed();
  }

  async check(options?: CheckOptions): Promise<CheckResult> {
    return this.begin().check(options);
  }

  async diagnose(options?: DiagnoseOptions): Promise<Diagnosis> {
    return this.begin().diagnose(options);
  }

  circuits(): CircuitInfo[] {
    return this.#current?.client.circuits() ?? [];
  }

  async stats(): Promise<ClientStats> {
    return this.begin().stats();
  }

  async close(): Promise<void> {
    this.#closing = true;
    const client = this.begin();
    const { port } = this.#current as Current;
    const closed = client.close();
    // Where nobody has answered yet there is nobody to wait for.
    if (port.hasSpoken) await closed;
    else port.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): Current {
    const { name, place, options } = this.#options;
    const port = new HostPort(name, place, () => {
      if (!this.#closing) this.#current = undefined;
    });
    const client = new RemoteTorClient(port, port, { options, share: name });
    for (const event of EVENT_NAMES) if (event !== "metric" || this.#measuring) this.#forward(client, event);
    client.addEventListener("status", ({ detail }) => this.#takeStatus({ client, port }, detail));
    return { client, port };
  }

  #forward(client: RemoteTorClient, event: EventName): void {
    if (event !== "status") client.addEventListener(event, ({ detail }) => this.emit(event, detail));
  }

  #takeStatus({ client, port }: Current, status: ClientStatus): void {
    if (this.#current?.client === client) return this.#tell(status);
    // The last word of a connection that failed.
    port.abandon();
    const isLost = status.blocked?.code === "ALLIUM_E_REMOTE_LOST";
    if (!isLost || !this.#options.eager || this.#isUnloaded) return this.#tell(status);
    const now = systemClock.monotonic();
    const soon = now - this.#lastLoss < LOSS_INTERVAL;
    this.#lastLoss = now;
    if (soon) return this.#tell(status);
    this.#tell(this.begin().status);
  }

  #tell(status: ClientStatus): void {
    this.#status = status;
    this.emit("status", status);
  }
}
