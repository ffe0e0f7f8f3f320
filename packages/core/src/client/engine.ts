// The client's life: lazy bootstrap, readiness, keeping the view of the network current, the end.
// Not here: protocol, and the shape of the public API (tor-client.ts).

import { abortable, onAbort, throwIfAborted, withTimeout } from "../base/abort.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { LogLevel } from "../base/ports.ts";
import type { NetDir } from "../directory/api.ts";
import type { CircuitBuilder } from "../path/builder.ts";
import { CircuitPool } from "../path/circuits.ts";
import type { SampledGuards } from "../path/guards.ts";
import type { ExitTarget, PathSelector } from "../path/select.ts";
import type { CheckedOptions } from "./options.ts";
import { type ClientStatus, type Phase, StatusTracker } from "./status.ts";
import { ExitStreamOpener, type StreamInfo } from "./stream-opener.ts";

export interface EngineEvents {
  status(status: ClientStatus): void;
  stream(info: StreamInfo): void;
}

/** What the engine needs of the network; NetworkStack is the real one. */
export interface Network {
  readonly guards: Pick<SampledGuards, "load" | "next">;
  readonly builder: Pick<CircuitBuilder, "build">;
  readonly directory: Directory;
  selectorFor(netdir: NetDir): PathSelector;
  close(): Promise<void>;
}

export interface Directory {
  /** The newest verified view, if any. */
  readonly netdir: NetDir | undefined;
  /** A view that may be used now: the one at hand, the stored one, or a new one from the network. */
  bootstrap(options: { readonly signal: AbortSignal }): Promise<NetDir>;
  /** Fetches each next view in its time, until the signal aborts. */
  keepFresh(signal: AbortSignal): Promise<void>;
}

/** What a network tells of itself, for the status. */
export interface Progress {
  advance(phase: Phase, part?: number): void;
  /** A try failed and another follows. */
  trouble(error: TorError): void;
}

/** How long a call waits for the client to become ready; a first start on a slow line takes about a minute. */
const READY_TIMEOUT = 180_000;

/** The first circuit proves that the network can be used, and serves the first request. */
const FIRST_TARGET: ExitTarget = { port: 443, family: 4 };

export class Engine<N extends Network> {
  readonly network: N;
  readonly opener: ExitStreamOpener;
  readonly pool: CircuitPool;
  readonly #status: StatusTracker;
  readonly #options: CheckedOptions;
  readonly #closing = new AbortController();
  readonly #forgetSignal: () => void;
  #guardsLoaded: Promise<void> | undefined;
  #bootstrap: Promise<void> | undefined;
  #keepingFresh = false;
  /** When the directory last said that its view may be used, milliseconds since the epoch. */
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(options: CheckedOptions, events: EngineEvents, connect: (progress: Progress) => N) {
    const { clock, path, retry } = options;
    this.#options = options;
    this.#status = new StatusTracker(events.status);
    this.network = connect({
      advance: (phase, part) => this.#status.advance(phase, part),
      trouble: (error) => this.#trouble(error),
    });
    this.pool = new CircuitPool({
      ...{ clock, retry, builder: this.network.builder, maxDirtiness: path.maxCircuitDirtiness },
      padding: options.padding,
      choosePath: (target, avoidExits) => this.#choosePath(target, avoidExits),
      onRetry: (error) => {
        this.#log("info", "circuit.retry", "building a circuit failed, it is tried again", error);
        this.#trouble(error);
      },
    });
    this.opener = new ExitStreamOpener({
      pool: this.pool,
      clock,
      optimisticData: options.streams.optimisticData,
      connectTimeout: options.streams.connectTimeout,
      allowPrivateAddresses: options.network.allowPrivateAddresses === true,
      ready: (signal) => this.ready(signal),
      onStream: events.stream,
    });
    this.#forgetSignal = onAbort(options.signal, () => void this.close());
  }

  get status(): ClientStatus {
    return this.#status.current;
  }

  /** Waits until streams can be opened; begins, or begins again, what is needed for that. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(this.#closing.signal);
    throwIfAborted(signal);
    if (this.status.ready && this.#isCurrent()) return;
    this.#bootstrap ??= this.#runBootstrap().finally(() => {
      this.#bootstrap = undefined;
    });
    const running = this.#bootstrap;
    const error = () =>
      new TorError(
        "offline",
        "ALLIUM_E_NOT_READY",
        `the client was not ready after ${READY_TIMEOUT / 1000} s (phase "${this.status.phase}")`,
      );
    await withTimeout({ clock: this.#options.clock, ms: READY_TIMEOUT, signal, error }, () => running);
  }

  /** Reads the stored guards, once; a store that fails is read again the next time. */
  loadGuards(): Promise<void> {
    this.#guardsLoaded ??= this.network.guards.load().catch((error) => {
      this.#guardsLoaded = undefined;
      throw error;
    });
    return this.#guardsLoaded;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const error = new TorError("aborted", "ALLIUM_E_CLOSED", "the client is closed");
    this.#closing.abort(error);
    this.#forgetSignal();
    this.pool.close(error);
    await this.network.close();
  }

  async #runBootstrap(): Promise<void> {
    const { signal } = this.#closing;
    const { directory } = this.network;
    this.#status.restart();
    try {
      await abortable(this.loadGuards(), signal);
      await abortable(directory.bootstrap({ signal }), signal);
      this.#checkedAt = this.#options.clock.now();
      this.#status.advance("circuit");
      await this.#firstCircuit(signal);
      this.#status.advance("ready");
      void this.#keepFresh();
    } catch (thrown) {
      const error = toTorError(thrown);
      if (!signal.aborted) {
        this.#status.block(error);
        this.#log("warn", "client.blocked", "the client cannot get ready", error);
      }
      throw error;
    }
  }

  /** A network without an exit for that port has no first circuit, but may have exits for others. */
  async #firstCircuit(signal: AbortSignal): Promise<void> {
    try {
      await this.pool.buildAhead(FIRST_TARGET, signal);
    } catch (thrown) {
      const error = toTorError(thrown);
      if (error.code !== "ALLIUM_E_NO_RELAY") throw error;
      this.#log("warn", "client.no-exit", "no circuit could be chosen ahead", error);
    }
  }

  async #keepFresh(): Promise<void> {
    if (this.#keepingFresh) return;
    this.#keepingFresh = true;
    try {
      await this.network.directory.keepFresh(this.#closing.signal);
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        this.#log("warn", "client.stale", "the directory is no longer kept fresh", toTorError(error));
      }
    } finally {
      this.#keepingFresh = false;
    }
  }

  /**
   * Whether the view of the network may be used without asking the directory. An expired one may too, for as long as
   * a consensus is fresh, when the directory allowed it lately: then it is our clock that is wrong.
   */
  #isCurrent(): boolean {
    const { netdir } = this.network.directory;
    if (netdir === undefined) return false;
    const now = this.#options.clock.now();
    if (now >= netdir.validAfter && now <= netdir.validUntil) return true;
    const since = now - this.#checkedAt;
    return since >= 0 && since < netdir.freshUntil - netdir.validAfter;
  }

  async #choosePath(target: ExitTarget, avoidExits: ReadonlySet<string>) {
    const { directory, guards } = this.network;
    const netdir = directory.netdir ?? (await directory.bootstrap({ signal: this.#closing.signal }));
    return this.network.selectorFor(netdir).path(target, guards, avoidExits);
  }

  /** What is wrong is shown while it is tried again, but a client that is ready stays so. */
  #trouble(error: TorError): void {
    if (this.#bootstrap !== undefined && error.kind !== "aborted") this.#status.block(error);
  }

  #log(level: LogLevel, code: string, message: string, error: TorError): void {
    this.#options.log?.({ level, code, message, data: { kind: error.kind, error: error.code } });
  }
}
