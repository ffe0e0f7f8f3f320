// Streams to directory caches over circuits of one hop: fallbacks with CREATE_FAST while nothing is known, the guards with
// ntor after that (path-spec 2.1.1, tor-spec 5.1.2, guard-spec 4.6). Implements the directory room's DirectoryConnector.
// Not here: what is asked and how the answer is judged.

import { abortable } from "../base/abort.ts";
import { toHex } from "../base/encoding.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { shuffled } from "../base/random.ts";
import type { Circuit } from "../circuit/api.ts";
import type {
  DirectoryConnection,
  DirectoryConnector,
  DirectoryRequestOptions,
  NetDir,
  NetworkConfig,
} from "../directory/api.ts";
import { fallbackTargets } from "../directory/network-config.ts";
import type { ChannelTarget } from "../link/api.ts";
import { mayOtherRelayDo } from "./blame.ts";
import type { BuildRequest, CircuitBuilder } from "./builder.ts";
import type { GuardKeeper } from "./guard-keeper.ts";
import type { PathSelector } from "./select.ts";

export interface ConnectorOptions {
  readonly network: NetworkConfig;
  readonly builder: Pick<CircuitBuilder, "build">;
  readonly guards: Pick<GuardKeeper, "choose">;
  readonly selectorFor: (netdir: NetDir) => PathSelector;
  readonly clock: Clock;
  /** A cache could not be asked, and another one will be. */
  readonly onTrouble?: ((error: TorError) => void) | undefined;
}

/** Caches tried for one connection before the caller hears of it. */
const TRIES = 3;

/** Milliseconds for BEGIN_DIR to be answered. */
const STREAM_TIMEOUT = 10_000;

/** A circuit without a request is closed after this long: the next part of a bootstrap comes at once or not at all. */
const IDLE_TIME = 10_000;

/** How long a cache that failed is asked last. */
const BLAME_TIME = 10 * 60_000;

type FirstHop = BuildRequest["first"];

interface Entry {
  readonly cache: string;
  readonly circuit: Promise<Circuit>;
  active: number;
  /** Stops the timer that closes an idle circuit. */
  stopIdle: (() => void) | undefined;
}

export class CircuitDirectoryConnector implements DirectoryConnector {
  readonly #options: ConnectorOptions;
  /** Made when first needed: a warm start asks no fallback. */
  #fallbacks: readonly ChannelTarget[] | undefined;
  /** Open circuits by cache. */
  readonly #entries = new Map<string, Entry>();
  /** Monotonic time of each cache's last failure. */
  readonly #failures = new Map<string, number>();
  readonly #closing = new AbortController();

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  async open(options: DirectoryRequestOptions): Promise<DirectoryConnection> {
    const tried = new Set(options.exclude);
    let failure: TorError | undefined;
    for (let tries = 0; tries < TRIES; tries++) {
      // Nothing is awaited between choosing a fallback and entering its circuit, so that requests made together share it.
      const first =
        options.netdir === undefined
          ? this.#pickFallback(tried, failure)
          : await this.#pickRelay(tried, options.netdir, failure);
      const cache = toHex(identityOf(first).rsaId);
      try {
        return await this.#openAt(cache, first, options);
      } catch (thrown) {
        failure = toTorError(thrown);
        if (!mayOtherRelayDo(failure)) throw failure;
        tried.add(cache);
        this.#blame(cache);
        this.#options.onTrouble?.(failure);
      }
    }
    throw failure;
  }

  /** Nothing new is asked over circuits of now; each closes when it has answered. */
  startOver(): void {
    for (const entry of [...this.#entries.values()]) {
      this.#entries.delete(entry.cache);
      if (entry.active === 0) this.#closeEntry(entry);
    }
    this.#failures.clear();
  }

  /** Closes all directory circuits. */
  close(error = new TorError("aborted", "ALLIUM_E_CLOSED", "the client is closed")): void {
    this.#closing.abort(error);
    for (const entry of this.#entries.values()) this.#closeEntry(entry);
  }

  /** One with an open circuit, else one that has not failed of late, in random order. */
  #pickFallback(tried: ReadonlySet<string>, failure: TorError | undefined): FirstHop {
    this.#fallbacks ??= fallbackTargets(this.#options.network);
    const candidates = shuffled(this.#fallbacks).filter((target) => !tried.has(toHex(target.rsaId)));
    const rank = (target: ChannelTarget) => {
      const cache = toHex(target.rsaId);
      return this.#entries.has(cache) ? 0 : this.#failedLately(cache) ? 2 : 1;
    };
    const [fallback] = candidates.sort((a, b) => rank(a) - rank(b));
    if (fallback !== undefined) return { fallback };
    // That no cache is left says less than why the last one failed.
    throw failure ?? new TorError("no-path", "ALLIUM_E_NO_FALLBACK", "every fallback directory was tried");
  }

  /** A guard, so that only guards learn when this client is there; any cache when no guard may be asked. */
  async #pickRelay(
    tried: ReadonlySet<string>,
    netdir: NetDir,
    failure: TorError | undefined,
  ): Promise<FirstHop> {
    const { guards, selectorFor } = this.#options;
    try {
      const guard = await guards.choose(netdir, "directory", (one) => !tried.has(toHex(one.rsaId)));
      return { relay: guard.relay, guard };
    } catch (error) {
      if (toTorError(error).kind !== "no-path") throw error;
    }
    try {
      return { relay: selectorFor(netdir).directoryCache(tried) };
    } catch (error) {
      throw failure ?? error;
    }
  }

  async #openAt(
    cache: string,
    first: FirstHop,
    { netdir, signal }: DirectoryRequestOptions,
  ): Promise<DirectoryConnection> {
    const known = this.#entries.get(cache);
    // Its circuit is under way already, with a ticket of its own.
    if (known !== undefined && "guard" in first) first.guard?.gaveUp();
    const entry = known ?? this.#start(cache, first, netdir);
    entry.active++;
    entry.stopIdle?.();
    let over = false;
    const finish = (failed: boolean) => {
      if (over) return;
      over = true;
      entry.active--;
      if (failed) {
        // Others may still be served on it, but nobody new.
        if (this.#entries.get(cache) === entry) this.#entries.delete(cache);
        this.#blame(cache);
      }
      if (entry.active === 0) this.#idle(entry, failed ? 0 : IDLE_TIME);
    };
    try {
      const circuit = await abortable(entry.circuit, signal);
      const stream = await circuit.openDirectoryStream({
        timeout: STREAM_TIMEOUT,
        // The request goes along with BEGIN_DIR, as C tor's do: a cache that refuses shows when its answer is read.
        optimistic: true,
        ...(signal === undefined ? {} : { signal }),
      });
      return { stream, cache, done: () => finish(false), failed: () => finish(true) };
    } catch (error) {
      finish(toTorError(error).kind !== "aborted");
      throw error;
    }
  }

  #start(cache: string, first: FirstHop, netdir: NetDir | undefined): Entry {
    const circuit = this.#options.builder.build({
      purpose: "directory",
      netdir,
      first,
      others: [],
      signal: this.#closing.signal,
    });
    const entry: Entry = { cache, circuit, active: 0, stopIdle: undefined };
    const forget = () => {
      if (this.#entries.get(cache) === entry) this.#entries.delete(cache);
    };
    circuit.then((built) => built.closed.then(forget), forget);
    this.#entries.set(cache, entry);
    return entry;
  }

  #idle(entry: Entry, time: number): void {
    if (time === 0 || this.#closing.signal.aborted) return this.#closeEntry(entry);
    const timer = this.#options.clock.timer(time);
    entry.stopIdle = () => timer.cancel();
    timer.fired.then(() => {
      if (entry.active === 0) this.#closeEntry(entry);
    });
  }

  #closeEntry(entry: Entry): void {
    entry.stopIdle?.();
    if (this.#entries.get(entry.cache) === entry) this.#entries.delete(entry.cache);
    entry.circuit.then(
      (circuit) => circuit.close(),
      () => {},
    );
  }

  #blame(cache: string): void {
    const now = this.#options.clock.monotonic();
    for (const [other, at] of this.#failures) if (now - at > BLAME_TIME) this.#failures.delete(other);
    this.#failures.set(cache, now);
  }

  #failedLately(cache: string): boolean {
    const at = this.#failures.get(cache);
    return at !== undefined && this.#options.clock.monotonic() - at <= BLAME_TIME;
  }
}

function identityOf(first: FirstHop): ChannelTarget {
  return "relay" in first ? first.relay : first.fallback;
}
