// TorClient, the public API: a Tor client for any JavaScript runtime. One client stands for one network and one store.
// Not in this room: protocol; which relays, when and why (path). Not yet here: WebSocket, onion services.

import { TypedEventTarget } from "../base/events.ts";
import type { Log } from "../base/ports.ts";
import type { ResolvedAddress } from "../circuit/api.ts";
import type { TorFetchInit } from "../net/fetch.ts";
import type { TorSocket, TorSocketOptions } from "../net/socket.ts";
import type { CircuitInfo } from "../path/registry.ts";
import type { ResolveOptions, SocketAddress, TorClientEvents, TorClientLike } from "./api.ts";
import { Engine } from "./engine.ts";
import { Guards } from "./guards.ts";
import { checkOptions, type TorClientOptions } from "./options.ts";
import { NetworkStack } from "./stack.ts";
import { type ClientStats, guardStats, StreamCounter } from "./stats.ts";
import type { ClientStatus } from "./status.ts";
import { TorView } from "./view.ts";

/** A Tor client. It does nothing until its first use; `close()` it when it is no longer needed. */
export class TorClient extends TypedEventTarget<TorClientEvents> implements TorClientLike {
  readonly guards: Guards;
  readonly #engine: Engine<NetworkStack>;
  readonly #streams = new StreamCounter();
  readonly #view: TorView;

  /** @throws TorError `bad-api-usage` for options that cannot be */
  constructor(options: TorClientOptions) {
    super();
    const checked = checkOptions(options);
    const log: Log = (event) => {
      checked.log?.(event);
      if (event.level !== "debug") this.emit("log", event);
    };
    this.#engine = new Engine(
      { ...checked, log },
      {
        status: (status) => this.emit("status", status),
        stream: (info) => {
          this.#streams.count(info);
          this.emit("stream", info);
        },
      },
      (progress) =>
        new NetworkStack({
          ...{ ...checked, log, exits: checked.path.exits },
          circuitBuildTimeout: checked.path.circuitBuildTimeout,
          onDialled: () => progress.advance("link"),
          onChannel: () => progress.advance("consensus"),
          onCircuitWanted: () => progress.circuitWanted(),
          onCircuit: (info) => this.emit("circuit", info),
          onGuard: (event) => this.emit("guard", event),
          onBridge: (suspicion) => this.emit("bridge", suspicion),
          directory: {
            snapshots: checked.snapshots,
            // The directory begins with the consensus before there is any channel to ask for it.
            onProgress: ({ phase, fraction }) => {
              if (phase !== "consensus" || fraction > 0) progress.advance(phase, fraction);
            },
            onTrouble: (error) => progress.trouble(error),
          },
        }),
    );
    const engine = this.#engine;
    this.guards = new Guards(engine.network.guards, () => engine.load());
    this.#view = new TorView(engine.opener, [], checked.clock);
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
    this.#engine.pool.retireAll();
  }

  /**
   * Tell it when the device has another network than before, or one again: circuits are built anew, and guards that could
   * not be reached are tried again.
   */
  networkChanged(): void {
    this.#engine.networkChanged();
  }

  /** The circuits being built and open, for drawing. */
  circuits(): CircuitInfo[] {
    return this.#engine.network.registry.list();
  }

  stats(): ClientStats {
    const { registry, channels, guards, memory } = this.#engine.network;
    const open = registry.list().filter(({ state }) => state === "open").length;
    return {
      channels: channels.size,
      circuits: { open, building: registry.list().length - open, ...registry.counts },
      streams: this.#streams.stats,
      memory: { used: memory.used, limit: memory.limit },
      guards: guardStats(guards.export()),
    };
  }

  /** Ends all streams, circuits and channels. What waits is rejected with `aborted`. */
  close(): Promise<void> {
    return this.#engine.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
