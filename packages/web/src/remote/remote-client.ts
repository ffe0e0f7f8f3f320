// The client as a page sees it when it runs in a worker: the same surface as core's TorClient.

import type {
  CheckOptions,
  CheckResult,
  CircuitInfo,
  ClientStats,
  ClientStatus,
  DetailEvent,
  DiagnoseOptions,
  Diagnosis,
  GuardState,
  ResolvedAddress,
  ResolveOptions,
  SocketAddress,
  TorClientEvents,
  TorClientLike,
  TorError,
  TorFetchInit,
  TorSocket,
  TorSocketOptions,
  TorViewLike,
  TorWebSocketConstructor,
} from "@allium/core";
import { systemClock } from "@allium/core";
import {
  badApiUsage,
  makeWebSocket,
  nestedKeys,
  parseDestination,
  TypedEventTarget,
} from "@allium/core/internal";
import { type Check, flag, listOf, object, plain, text, whole } from "./check.ts";
import { Connection, type ErrorSource } from "./connection.ts";
import { closedError, limitError } from "./errors.ts";
import type { PortLike } from "./link.ts";
import { type EventAnswer, MAX_JSON, MAX_KEY, MAX_KEYS } from "./protocol.ts";
import { remoteFetch } from "./remote-fetch.ts";
import { remoteConnect } from "./remote-socket.ts";
import { socketStream } from "./socket-stream.ts";

const addresses = listOf(
  object<ResolvedAddress>({ address: text(64), ttl: whole(0, 2 ** 32) }),
  512,
) as Check<ResolvedAddress[]>;
const stats = plain<ClientStats>(MAX_JSON, { channels: whole(0, 2 ** 32) });
const checkResult = plain<CheckResult>(MAX_JSON, { isTor: flag, address: text(MAX_JSON) });
const diagnosis = plain<Diagnosis>(MAX_JSON, { good: flag, steps: listOf(plain(MAX_JSON), 64) });
const guardState = plain<GuardState>(MAX_JSON);
const nothing: Check<void> = () => {};

class RemoteView implements TorViewLike {
  readonly WebSocket: TorWebSocketConstructor;
  readonly #connection: Connection;
  readonly #keys: readonly string[];

  constructor(connection: Connection, keys: readonly string[]) {
    this.#connection = connection;
    this.#keys = keys;
    // Frames are made and read here; the worker carries their bytes, and does TLS where there is any.
    this.WebSocket = makeWebSocket({
      open: async ({ hostname, port, isolation, signal }, isSecure) =>
        socketStream(
          this.connect(
            { hostname, port },
            {
              ...(isSecure && { secureTransport: "on", alpn: ["http/1.1"] }),
              ...(isolation !== undefined && { isolation }),
              ...(signal !== undefined && { signal }),
            },
          ),
          systemClock,
        ),
      clock: systemClock,
    });
  }

  fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response> {
    return remoteFetch(this.#connection, this.#keys, input, init);
  }

  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket {
    return remoteConnect(this.#connection, this.#keys, address, options);
  }

  async resolve(hostname: string, options: ResolveOptions = {}): Promise<ResolvedAddress[]> {
    // The port only makes it a destination.
    const { hostname: name } = parseDestination({ hostname, port: 443 });
    const { isolation, signal } = options;
    return this.#connection.ask(
      (id) => ({ type: "resolve", id, views: this.#keys, isolation, hostname: name }),
      addresses,
      signal,
    );
  }

  isolate(key: string): RemoteView {
    const keys = nestedKeys(this.#keys, key);
    if (keys.length > MAX_KEYS || key.length > MAX_KEY)
      throw limitError("isolation keys are too long or nested too deep to go to a worker");
    return new RemoteView(this.#connection, keys);
  }
}

/** A client whose work is done in a worker. `close()` ends what this page began there, and the client with its last page. */
export class RemoteTorClient extends TypedEventTarget<TorClientEvents> implements TorClientLike {
  readonly guards: TorClientLike["guards"];
  /** The web's `WebSocket`, over Tor. */
  readonly WebSocket: TorWebSocketConstructor;
  readonly #connection: Connection;
  readonly #view: RemoteView;
  #circuits = new Map<number, CircuitInfo>();
  #measuring = false;
  #status: ClientStatus = { fraction: 0, phase: "bridge", ready: false };

  /** Made by `connectTorClient` and `createWorkerClient`. */
  constructor(port: PortLike, worker: ErrorSource, options?: string) {
    super();
    const connection = new Connection(port, worker, options, {
      state: (status, circuits) => this.#takeState(status, circuits),
      event: (event) => this.#takeEvent(event),
      lost: (error) => this.#lost(error),
    });
    this.#connection = connection;
    this.#view = new RemoteView(connection, []);
    this.WebSocket = this.#view.WebSocket;
    this.guards = {
      export: () => connection.ask((id) => ({ type: "exportGuards", id }), guardState),
      import: async (state) => {
        const json = guardJson(state);
        return connection.ask((id) => ({ type: "importGuards", id, state: json }), nothing);
      },
      reset: () => connection.ask((id) => ({ type: "resetGuards", id }), nothing),
    };
  }

  /** As of any EventTarget. The worker sends `metric` events once a listener wants them. */
  override addEventListener<K extends keyof TorClientEvents & string>(
    type: K,
    listener: (event: DetailEvent<TorClientEvents[K]>) => void,
    options?: { once?: boolean; signal?: AbortSignal },
  ): void {
    super.addEventListener(type, listener, options);
    if (type !== "metric" || this.#measuring) return;
    this.#measuring = true;
    this.#connection.post({ type: "measure" });
  }

  get status(): ClientStatus {
    return this.#status;
  }

  ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#connection.ask((id) => ({ type: "ready", id }), nothing, options.signal);
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
    this.#connection.post({ type: "newIdentity" });
  }

  /** See TorClient. */
  networkChanged(): void {
    this.#connection.post({ type: "networkChanged" });
  }

  /** See TorClient. */
  resumed(): void {
    this.#connection.post({ type: "resumed" });
  }

  async check({ url, signal }: CheckOptions = {}): Promise<CheckResult> {
    const asked = url === undefined ? undefined : String(url);
    return this.#connection.ask((id) => ({ type: "check", id, url: asked }), checkResult, signal);
  }

  async diagnose({ url, timeout, signal }: DiagnoseOptions = {}): Promise<Diagnosis> {
    const asked = url === undefined ? undefined : String(url);
    return this.#connection.ask((id) => ({ type: "diagnose", id, url: asked, timeout }), diagnosis, signal);
  }

  circuits(): CircuitInfo[] {
    return [...this.#circuits.values()];
  }

  stats(): Promise<ClientStats> {
    return this.#connection.ask((id) => ({ type: "stats", id }), stats);
  }

  close(): Promise<void> {
    return this.#connection.close(closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #takeState(status: ClientStatus, circuits: readonly CircuitInfo[]): void {
    const now = new Map(circuits.map((circuit) => [circuit.id, circuit]));
    const gone = [...this.#circuits.values()].filter(({ id }) => !now.has(id));
    const news = circuits.filter(({ id, state }) => this.#circuits.get(id)?.state !== state);
    this.#circuits = now;
    this.#status = status;
    this.emit("status", status);
    for (const circuit of gone) this.emit("circuit", { ...circuit, state: "closed" });
    for (const circuit of news) this.emit("circuit", circuit);
  }

  #takeEvent(event: EventAnswer): void {
    if (event.type === "status") this.#status = event.detail;
    if (event.type === "circuit") this.#takeCircuit(event.detail);
    this.emit(event.type, event.detail);
  }

  #takeCircuit(circuit: CircuitInfo): void {
    if (circuit.state === "closed") this.#circuits.delete(circuit.id);
    else this.#circuits.set(circuit.id, circuit);
  }

  /** The client may live on, but not for this page. */
  #lost({ kind, code, message }: TorError): void {
    this.#circuits.clear();
    this.#status = { ...this.#status, ready: false, blocked: { kind, code, message } };
    this.emit("status", this.#status);
  }
}

function guardJson(state: unknown): string {
  try {
    return JSON.stringify(state) ?? "null";
  } catch {
    throw badApiUsage("ALLIUM_E_BAD_GUARD_STATE", "the guard state is not JSON");
  }
}
