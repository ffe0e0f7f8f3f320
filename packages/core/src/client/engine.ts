// The client's life: lazy bootstrap, readiness, keeping the view of the network current, the end.
// Not here: protocol, and the shape of the public API (tor-client.ts).

import { abortable, onAbort, sleep, throwIfAborted, withTimeout } from "../base/abort.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { LogLevel } from "../base/ports.ts";
import type { NetDir } from "../directory/api.ts";
import type { BuildTimeouts } from "../path/build-timeout/keeper.ts";
import type { CircuitBuilder } from "../path/builder.ts";
import { CircuitPool } from "../path/circuits.ts";
import type { ClockSkew } from "../path/clock-skew.ts";
import type { GuardKeeper } from "../path/guard-keeper.ts";
import { guardedPath } from "../path/guarded-path.ts";
import { unusedCircuitLifetime } from "../path/padding.ts";
import { Preemption, WEB } from "../path/preemption.ts";
import type { ExitTarget, PathSelector } from "../path/select.ts";
import { ClockWatch } from "./clock-watch.ts";
import type { CheckedOptions } from "./options.ts";
import { type ClientStatus, type Phase, StatusTracker } from "./status.ts";
import { ExitStreamOpener, type StreamInfo } from "./stream-opener.ts";

export type EngineOptions = Omit<CheckedOptions, "trust">;

export interface EngineEvents {
  status(status: ClientStatus): void;
  stream(info: StreamInfo): void;
  /** A request for a circuit failed and is tried again. */
  circuitRetried(error: TorError): void;
  /** There was a new identity. */
  rotated(): void;
  /** New streams take no circuit of before. */
  circuitsLeft(): void;
  /** All is over; calls are refused with this. */
  closed(error: TorError): void;
  /** Half a minute of use has passed. */
  tick(): void;
}

/** What the engine needs of the network; NetworkStack is the real one. */
export interface Network {
  readonly guards: Pick<GuardKeeper, "choose">;
  readonly builder: Pick<CircuitBuilder, "build">;
  readonly buildTimeouts: Pick<BuildTimeouts, "tests" | "unusedLifetime">;
  readonly clockSkew: Pick<ClockSkew, "explain">;
  readonly directory: Directory;
  selectorFor(netdir: NetDir): PathSelector;
  /** The device is on another network. */
  networkChanged(): void;
  /** Reads what is stored. */
  load(): Promise<void>;
  close(): Promise<void>;
}

export interface Directory {
  /** The newest verified view, if any. */
  readonly netdir: NetDir | undefined;
  /** A view that may be used now: the one at hand, the stored one, or a new one from the network. */
  bootstrap(options: { readonly signal: AbortSignal }): Promise<NetDir>;
  /** Fetches each next view in its time, until the signal aborts. @throws TorError why the client must not go on */
  keepFresh(signal: AbortSignal): Promise<void>;
}

/** What a network tells of itself, for the status. */
export interface Progress {
  advance(phase: Phase, part?: number): void;
  /** A try failed and another follows. */
  trouble(error: TorError): void;
  /** A circuit is to be begun, so that guards are tried. */
  circuitWanted(): void;
}

/** How long a call waits for the client to become ready; a first start on a slow line takes about a minute. */
const READY_TIMEOUT = 180_000;

/** tor(1) "DormantClientTimeout": a client that nobody uses for a day fetches and builds nothing. */
const DORMANT_AFTER = 24 * 3_600_000;

export class Engine<N extends Network> {
  readonly network: N;
  readonly opener: ExitStreamOpener;
  readonly pool: CircuitPool;
  readonly #status: StatusTracker;
  readonly #options: EngineOptions;
  readonly #events: EngineEvents;
  readonly #closing = new AbortController();
  readonly #forgetSignal: () => void;
  readonly #preemption: Preemption;
  #clockWatch: ClockWatch | undefined;
  /** Monotonic time of the last call that needed the network. */
  #usedAt = 0;
  /** Monotonic time of the last request for a circuit. */
  #requestedAt = Number.NEGATIVE_INFINITY;
  #loaded: Promise<void> | undefined;
  #bootstrap: Promise<void> | undefined;
  /** Ends what goes on by itself while the client is in use. */
  #upkeep: AbortController | undefined;
  #isDormant = false;
  /** When the directory last said that its view may be used, milliseconds since the epoch. */
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(options: EngineOptions, events: EngineEvents, connect: (progress: Progress) => N) {
    const { clock, path, retry } = options;
    this.#options = options;
    this.#events = events;
    this.#status = new StatusTracker(events.status);
    this.network = connect({
      advance: (phase, part) => this.#status.advance(phase, part),
      trouble: (error) => this.#trouble(error),
      circuitWanted: () => void this.pool.prepare(WEB).catch(() => {}),
    });
    this.pool = new CircuitPool({
      ...{ clock, retry, builder: this.network.builder, maxDirtiness: path.maxCircuitDirtiness },
      choosePath: (target, avoidExits) => this.#choosePath(target, avoidExits),
      serves: (path, target) =>
        this.network.selectorFor(this.network.directory.netdir ?? path.netdir).serves(path, target),
      unusedLifetime: (netdir) =>
        this.network.buildTimeouts.unusedLifetime ?? unusedCircuitLifetime(options.padding, netdir),
      onRequest: (target) => {
        this.#requestedAt = clock.monotonic();
        this.#preemption.note(target);
      },
      onRetry: (error) => {
        this.#log("info", "circuit.retry", "building a circuit failed, it is tried again", error);
        events.circuitRetried(error);
        this.#trouble(error);
      },
    });
    this.#preemption = new Preemption({
      ...{ clock, pool: this.pool, tests: () => this.network.buildTimeouts.tests },
      relevance: () => this.#portRelevance(),
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
    this.#usedAt = this.#options.clock.monotonic();
    if (this.status.ready && this.#isCurrent()) {
      this.#keepUp();
      return;
    }
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

  /** Reads what is stored, once; a store that fails is read again the next time. */
  load(): Promise<void> {
    this.#loaded ??= this.network.load().catch((error) => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  /** New streams go onto new circuits from now on. */
  newIdentity(): void {
    this.pool.retireAll();
    this.#events.circuitsLeft();
    this.#events.rotated();
  }

  /** The device is on another network, or on one again: what was built or failed on the last says nothing any more. */
  networkChanged(): void {
    this.pool.startOver();
    this.#events.circuitsLeft();
    this.network.networkChanged();
  }

  /** The device or the page may have slept: looks at once whether it did, and does what has to be done then. */
  resumed(): void {
    this.#clockWatch?.look();
  }

  /** Whether nobody used the client for so long that it does nothing by itself. */
  get isDormant(): boolean {
    return this.#isDormant;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const error = new TorError("aborted", "ALLIUM_E_CLOSED", "the client is closed");
    this.#closing.abort(error);
    this.#forgetSignal();
    this.#rest();
    this.pool.close(error);
    this.#events.closed(error);
    this.#status.restart();
    await this.network.close();
  }

  async #runBootstrap(): Promise<void> {
    const { signal } = this.#closing;
    const { directory } = this.network;
    this.#status.restart();
    try {
      await abortable(this.load(), signal);
      await abortable(directory.bootstrap({ signal }), signal);
      this.#checkedAt = this.#options.clock.now();
      this.#status.advance("circuit");
      await this.#firstCircuit(signal);
      this.#status.advance("ready");
      this.#keepUp();
    } catch (thrown) {
      const error = this.network.clockSkew.explain(toTorError(thrown));
      if (!signal.aborted) {
        this.#status.block(error);
        this.#log("warn", "client.blocked", "the client cannot get ready", error);
      }
      throw error;
    }
  }

  /**
   * The first circuit proves that the network can be used, and serves the first request. A network without an exit for that
   * port has none, but may have exits for others.
   */
  async #firstCircuit(signal: AbortSignal): Promise<void> {
    try {
      await this.pool.buildAhead(WEB, signal);
    } catch (thrown) {
      const error = toTorError(thrown);
      if (error.code !== "ALLIUM_E_NO_RELAY" && error.code !== "ALLIUM_E_NO_EXIT_IN_COUNTRY") throw error;
      this.#log("warn", "client.no-exit", "no circuit could be chosen ahead", error);
    }
  }

  /** Goes on by itself from here: keeps the view fresh and circuits at hand, and looks at the clock. */
  #keepUp(): void {
    if (this.#upkeep !== undefined || this.#closing.signal.aborted) return;
    const upkeep = new AbortController();
    this.#upkeep = upkeep;
    this.#isDormant = false;
    const { clock, path } = this.#options;
    if (path.preemptive) this.#preemption.start();
    if (path.rotateEvery !== undefined) this.#rotate(path.rotateEvery, upkeep.signal).catch(() => {});
    this.#clockWatch = new ClockWatch(
      clock,
      () => {
        this.#events.tick();
        this.#restIfUnused();
      },
      (ms) => this.#clockJumped(ms),
    );
    this.network.directory.keepFresh(upkeep.signal).catch((thrown) => {
      if (upkeep.signal.aborted) return;
      const error = toTorError(thrown);
      this.#log("warn", "client.stopped", "the client must not go on", error);
      this.#rest();
      this.pool.retireAll();
      this.#events.circuitsLeft();
      this.#status.block(error);
    });
  }

  /** tor(1) "DormantTimeoutDisabledByIdleStreams": streams are use, be there no bytes on them. */
  #restIfUnused(): void {
    const now = this.#options.clock.monotonic();
    if (this.pool.isInUse) this.#usedAt = now;
    if (now - this.#usedAt < DORMANT_AFTER) return;
    this.#rest();
    this.#isDormant = true;
  }

  /** A new identity at each interval, until the signal aborts, which it throws. */
  async #rotate(interval: number, signal: AbortSignal): Promise<never> {
    const { clock } = this.#options;
    for (;;) {
      await sleep(clock, interval, signal);
      // Relays need not pay for it where nobody used circuits; a request of the interval before may have got its in this one.
      if (clock.monotonic() - this.#requestedAt <= 2 * interval) this.newIdentity();
    }
  }

  #rest(): void {
    this.#upkeep?.abort(new TorError("aborted", "ALLIUM_E_CLOSED", "nobody uses the client"));
    this.#upkeep = undefined;
    this.#clockWatch?.stop();
    this.#preemption.stop();
  }

  /** The device slept, or its clock was set: what was built before will hardly work, and failures then mean nothing. */
  #clockJumped(ms: number): void {
    this.#options.log?.({
      level: "info",
      code: "client.clock-jumped",
      message: "the clock jumped, or the device slept: circuits are built anew",
      data: { seconds: Math.round(ms / 1000) },
    });
    this.networkChanged();
    // What was to be fetched at a time of the clock before.
    this.#rest();
    this.#keepUp();
  }

  #portRelevance(): number {
    const { netdir } = this.network.directory;
    return netdir === undefined ? 0 : unusedCircuitLifetime(this.#options.padding, netdir);
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
    return guardedPath(this.network.selectorFor(netdir), guards, target, avoidExits);
  }

  /** What is wrong is shown while it is tried again, but a client that is ready stays so. */
  #trouble(error: TorError): void {
    if (this.#bootstrap !== undefined && error.kind !== "aborted") this.#status.block(error);
  }

  #log(level: LogLevel, code: string, message: string, error: TorError): void {
    this.#options.log?.({ level, code, message, data: { kind: error.kind, error: error.code } });
  }
}
