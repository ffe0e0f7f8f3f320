// TorClient, the public API: a Tor client for any JavaScript runtime. One client stands for one network and one store.
// Not in this room: protocol; which relays, when and why (path). Not yet here: onion services.

import { type DetailEvent, TypedEventTarget } from "../base/events.ts";
import type { Clock, Log } from "../base/ports.ts";
import type { ResolvedAddress } from "../circuit/api.ts";
import type { StreamOpener } from "../net/api.ts";
import { Fetcher, type TorFetchInit } from "../net/fetch.ts";
import { SecureStreams, type TlsSettings } from "../net/secure.ts";
import type { TorSocket, TorSocketOptions } from "../net/socket.ts";
import type { TorWebSocketConstructor } from "../net/websocket/api.ts";
import type { CircuitInfo } from "../path/registry.ts";
import { Activity } from "./activity.ts";
import type { ResolveOptions, SocketAddress, TorClientEvents, TorClientLike } from "./api.ts";
import { type CheckOptions, type CheckResult, check } from "./check.ts";
import { type DiagnoseOptions, type Diagnosis, diagnose } from "./diagnose.ts";
import { Engine, type EngineEvents, type Progress } from "./engine.ts";
import { Guards } from "./guards.ts";
import { Meter } from "./metrics.ts";
import { type CheckedOptions, checkOptions, type TorClientOptions } from "./options.ts";
import { NetworkStack, type StackOptions } from "./stack.ts";
import { type ClientStats, clientStats } from "./stats.ts";
import type { ClientStatus } from "./status.ts";
import { TorView } from "./view.ts";

/** A Tor client. It does nothing until its first use; `close()` it when it is no longer needed. */
export class TorClient extends TypedEventTarget<TorClientEvents> implements TorClientLike {
  readonly guards: Guards;
  /** The web's `WebSocket`, over Tor. */
  readonly WebSocket: TorWebSocketConstructor;
  readonly #engine: Engine<NetworkStack>;
  readonly #clock: Clock;
  readonly #meter = new Meter((metric) => this.emit("metric", metric));
  readonly #activity: Activity;
  readonly #tls: TlsSettings;
  readonly #fetcher: Fetcher;
  readonly #view: TorView;

  /** @throws TorError `bad-api-usage` for options that cannot be */
  constructor(options: TorClientOptions) {
    super();
    const checked = checkOptions(options);
    const log: Log = (event) => {
      checked.log?.(event);
      if (event.level !== "debug") this.emit("log", event);
    };
    this.#clock = checked.clock;
    this.#activity = new Activity(checked.clock, this.#meter);
    this.#tls = { clock: checked.clock, ciphers: checked.ciphers, trust: checked.trust };
    // Before the engine, which tells it when all is over: at once where the signal has aborted.
    this.#fetcher = this.#makeFetcher(checked.path.maxCircuitDirtiness);
    this.#engine = new Engine(
      { ...checked, log },
      this.#engineEvents(),
      (progress) => new NetworkStack(this.#stackOptions({ ...checked, log }, progress)),
    );
    const engine = this.#engine;
    this.guards = new Guards(engine.network.guards, () => engine.load(), checked.clock);
    this.#view = new TorView({ opener: engine.opener, tls: this.#tls, fetcher: this.#fetcher }, []);
    this.WebSocket = this.#view.WebSocket;
  }

  /** As of any EventTarget. `metric` events are made once somebody has listened to them. */
  override addEventListener<K extends keyof TorClientEvents & string>(
    type: K,
    listener: (event: DetailEvent<TorClientEvents[K]>) => void,
    options?: { once?: boolean; signal?: AbortSignal },
  ): void {
    super.addEventListener(type, listener, options);
    if (type === "metric") this.#meter.listen();
  }

  /** How far the client is, and what is wrong. */
  get status(): ClientStatus {
    return this.#engine.status;
  }

  /** Settles when streams can be opened; every call waits for it by itself. @throws TorError why they cannot */
  ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#engine.ready(options.signal);
  }

  /** `fetch` over Tor. @throws a TypeError with `kind` and `code`, or the signal's reason */
  fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response> {
    return this.#view.fetch(input, init);
  }

  /** A TCP connection over Tor, as in the WinterTC sockets API. */
  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket {
    return this.#view.connect(address, options);
  }

  /**
   * The addresses of a host name as an exit resolves it, at least one; none is internal on the public network. An IP
   * literal is its own answer, with a TTL of 0. @throws TorError
   */
  resolve(hostname: string, options?: ResolveOptions): Promise<ResolvedAddress[]> {
    return this.#view.resolve(hostname, options);
  }

  /** A view of the client whose streams share no circuit with any other's. */
  isolate(key: string): TorView {
    return this.#view.isolate(key);
  }

  /** Streams from here on share no circuit with those before. Guards stay: new ones would make the client less safe. */
  newIdentity(): void {
    this.#engine.newIdentity();
  }

  /**
   * Tell it when the device has another network than before, or one again: circuits are built anew, and guards that could
   * not be reached are tried again.
   */
  networkChanged(): void {
    this.#engine.networkChanged();
  }

  /**
   * Tell it when the device or the page may have slept: whether it did is seen at once, not within half a minute. Costs
   * nothing where it did not.
   */
  resumed(): void {
    this.#engine.resumed();
  }

  /** See TorClientLike. */
  check(options: CheckOptions = {}): Promise<CheckResult> {
    const fetcher = (onCircuit: (id: number) => void) => this.#makeFetcher(undefined, onCircuit);
    return check(fetcher, () => this.circuits(), options);
  }

  /** See TorClientLike. */
  diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
    return diagnose(this, this.#clock, options);
  }

  /** The circuits being built and open, for drawing. */
  circuits(): CircuitInfo[] {
    return this.#engine.network.registry.list();
  }

  /** What the client did and has, of this moment. Cheap enough to be asked each second. */
  stats(): ClientStats {
    const { network, isDormant: dormant } = this.#engine;
    return clientStats(network, this.#activity, { dormant, now: this.#clock.now() });
  }

  /** Ends all streams, circuits and channels. What waits is rejected with `aborted`. */
  close(): Promise<void> {
    return this.#engine.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #makeFetcher(maxAge: number | undefined, onCircuit?: (id: number) => void): Fetcher {
    const openStream: StreamOpener["openStream"] = (request) =>
      this.#engine.opener.openStream({ ...request, onCircuit });
    const options = { clock: this.#clock, ...(maxAge !== undefined && { maxAge }) };
    return new Fetcher(new SecureStreams({ openStream }, this.#tls), options);
  }

  #engineEvents(): EngineEvents {
    const activity = this.#activity;
    return {
      status: (status) => this.emit("status", status),
      stream: (info) => {
        activity.stream(info);
        this.emit("stream", info);
      },
      circuitRetried: (error) => activity.circuitRetried(error),
      rotated: () => activity.rotated(),
      circuitsLeft: () => this.#fetcher.clear(),
      closed: (error) => this.#fetcher.close(error),
      tick: () => this.#tellTraffic(),
    };
  }

  #stackOptions(checked: CheckedOptions, progress: Progress): StackOptions {
    const activity = this.#activity;
    return {
      ...{ ...checked, exits: checked.path.exits, circuitBuildTimeout: checked.path.circuitBuildTimeout },
      onDialled: () => progress.advance("link"),
      onChannel: () => progress.advance("consensus"),
      onLink: (outcome) => activity.link(outcome),
      onCircuitWanted: () => progress.circuitWanted(),
      onCircuit: (info) => {
        activity.circuit(info);
        if (info.state === "closed") this.#tellTraffic();
        this.emit("circuit", info);
      },
      onGuard: (event) => {
        activity.guard(event);
        this.emit("guard", event);
      },
      onBridge: (suspicion) => this.emit("bridge", suspicion),
      directory: {
        snapshots: checked.snapshots,
        // The directory begins with the consensus before there is any channel to ask for it.
        onProgress: ({ phase, fraction }) => {
          if (phase !== "consensus" || fraction > 0) progress.advance(phase, fraction);
        },
        onTrouble: (error) => {
          activity.directoryFailed(error);
          progress.trouble(error);
        },
      },
    };
  }

  /** Cells are too many to be told one by one. */
  #tellTraffic(): void {
    this.#activity.traffic(this.#engine.network.registry.totalTraffic());
  }
}
