// The pool of three-hop circuits: streams of one isolation key share a circuit whose exit allows their port, for as long
// as it is fresh (path-spec 2.1, tor(1) "MaxCircuitDirtiness", proposal 171). Not here: opening streams, choosing relays.

import { abortable, abortError, type Deferred, deferred, throwIfAborted } from "../base/abort.ts";
import { type RetryPolicy, retry } from "../base/backoff.ts";
import { toHex } from "../base/encoding.ts";
import { TorError, type TorErrorKind, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { Circuit } from "../circuit/api.ts";
import type { NetDir, Relay } from "../directory/api.ts";
import type { CircuitBuilder } from "./builder.ts";
import type { GuardedPath } from "./guarded-path.ts";
import type { ExitTarget, Path } from "./select.ts";

export interface CircuitPoolOptions {
  readonly clock: Clock;
  readonly builder: Pick<CircuitBuilder, "build">;
  /** A fresh path to the target from the current view of the network. */
  readonly choosePath: (target: ExitTarget, avoidExits: ReadonlySet<string>) => Promise<GuardedPath>;
  /** Whether streams to the target may go onto a circuit along this path. */
  readonly serves: (path: Path, target: ExitTarget) => boolean;
  /** Milliseconds for which a circuit is kept while nobody uses it. */
  readonly unusedLifetime: (netdir: NetDir) => number;
  /** A request asked for a circuit: more like it are to be expected. */
  readonly onRequest?: ((target: ExitTarget) => void) | undefined;
  readonly retry: RetryPolicy;
  /** Milliseconds from its first stream after which a circuit takes no more. */
  readonly maxDirtiness: number;
  readonly onRetry?: ((error: TorError, delay: number) => void) | undefined;
}

export interface CircuitRequest {
  readonly target: ExitTarget;
  /** Requests with different keys never share a circuit. */
  readonly isolation: string;
  /** The pool's `era` when what asks began, now unless given: after a `retireAll` since it shares nothing with what began later. */
  readonly era?: number;
  /** RSA identities (hex) of exits that already failed this request. */
  readonly avoidExits?: ReadonlySet<string>;
  readonly signal?: AbortSignal | undefined;
}

export interface PooledCircuit {
  readonly circuit: Circuit;
  readonly exit: Relay;
}

/** tor(1) "MaxClientCircuitsPending". */
const MAX_PENDING = 32;

const SWEEP_INTERVAL = 10_000;

/** Failures that another circuit will not mend. */
const FINAL: ReadonlySet<TorErrorKind> = new Set([
  "aborted",
  "bad-api-usage",
  "no-path",
  "directory-expired",
  "consensus-unverified",
  "storage-denied",
  "internal",
]);

const LEFT_BEHIND = "ALLIUM_E_CIRCUIT_LEFT";

interface Entry {
  readonly target: ExitTarget;
  readonly ready: Promise<PooledCircuit>;
  /** Aborts when it is not to be completed. */
  readonly building: AbortController;
  readonly since: number;
  /** Milliseconds for which it is kept while nobody uses it; known with its path. */
  unusedLifetime: number;
  path: Path | undefined;
  circuit: Circuit | undefined;
  /** Undefined until the first request takes it. */
  isolation: string | undefined;
  dirtySince: number | undefined;
  retired: boolean;
}

export class CircuitPool {
  readonly #options: CircuitPoolOptions;
  readonly #entries = new Set<Entry>();
  readonly #closing = new AbortController();
  #stopSweep: (() => void) | undefined;
  #era = 0;
  /** Resolved, and replaced, when what requests wait for may have changed. */
  #changed: Deferred<void> = deferred();

  constructor(options: CircuitPoolOptions) {
    this.#options = options;
  }

  /** How often all circuits were left by `retireAll`. */
  get era(): number {
    return this.#era;
  }

  /** Whether any circuit carries streams. */
  get isInUse(): boolean {
    return [...this.#entries].some(({ circuit }) => circuit !== undefined && circuit.streamCount > 0);
  }

  /** A circuit for this request: one in use under its key, one built ahead, or a new one. Tries again as `retry` says. */
  acquire(request: CircuitRequest): Promise<PooledCircuit> {
    this.#options.onRequest?.(request.target);
    const dated = { ...request, era: request.era ?? this.#era };
    return this.#retrying(request.signal, () => this.#firstComplete(dated));
  }

  /** Sees to it that a circuit to `target` is open that no request has used. */
  async buildAhead(target: ExitTarget, signal?: AbortSignal): Promise<void> {
    await this.#retrying(signal, async () => {
      const spare = [...this.#entries].find(
        (entry) => entry.isolation === undefined && this.#serves(entry, target) && !this.#isStale(entry),
      );
      await (spare ?? this.#start(target)).ready;
    });
  }

  /** Circuits that no request has used, those being built included: in all, and those that would serve `target`. */
  unused(target?: ExitTarget): number {
    const unused = [...this.#entries].filter((entry) => entry.isolation === undefined && !entry.retired);
    return unused.filter((entry) => target === undefined || this.#serves(entry, target)).length;
  }

  /** Builds one more circuit that no request has asked for. @throws TorError why it failed */
  async prepare(target: ExitTarget): Promise<void> {
    await this.#start(target).ready;
  }

  /** Lets no more streams onto this circuit. It closes when its last stream is gone. */
  retire(circuit: Circuit): void {
    for (const entry of this.#entries) if (entry.circuit === circuit) this.#retire(entry);
  }

  /** Lets no more streams onto any circuit of now, but those of requests that wait for it already. */
  retireAll(): void {
    this.#era++;
    this.#retireEntries();
  }

  /** Lets go of all circuits of now, and what is being built is given up, without blame: requests that wait for it have others built. */
  startOver(): void {
    this.#retireEntries();
    const building = [...this.#entries].filter(({ circuit }) => circuit === undefined);
    for (const entry of building) this.#entries.delete(entry);
    this.#change();
    for (const entry of building) entry.building.abort(leftBehind("aborted"));
  }

  /** Closes everything at once. */
  close(error = new TorError("aborted", "ALLIUM_E_CLOSED", "the client is closed")): void {
    this.#closing.abort(error);
    this.#stopSweep?.();
    for (const { building, circuit } of this.#entries) {
      building.abort(error);
      circuit?.close(error);
    }
    this.#entries.clear();
  }

  /**
   * Finds a circuit for the request and marks it as its key's own. In one step, with nothing awaited between:
   * two keys must never find the same circuit free.
   */
  #take(request: CircuitRequest): Entry | undefined {
    return this.#takeComplete(request) ?? this.#takeFrom(this.#fitting(request), request);
  }

  #takeComplete(request: CircuitRequest): Entry | undefined {
    const complete = this.#fitting(request).filter(({ circuit }) => circuit !== undefined);
    return this.#takeFrom(complete, request);
  }

  #takeFrom(fitting: readonly Entry[], request: CircuitRequest): Entry | undefined {
    const entry =
      fitting.find(({ isolation }) => isolation === this.#keyOf(request)) ??
      fitting.find(({ isolation }) => isolation === undefined);
    return entry === undefined ? undefined : this.#claim(entry, request);
  }

  #fitting(request: CircuitRequest): Entry[] {
    return [...this.#entries].filter(
      (entry) =>
        this.#serves(entry, request.target) &&
        !(entry.path !== undefined && request.avoidExits?.has(toHex(entry.path.exit.rsaId))) &&
        !this.#isStale(entry),
    );
  }

  /**
   * The request's circuit, or another that would do and is complete before: one that is being built may wait for a better
   * guard's (guard-spec 4.9), which may be the other's.
   */
  async #firstComplete(request: CircuitRequest): Promise<PooledCircuit> {
    let entry: Entry | undefined;
    for (;;) {
      if (entry === undefined || !this.#entries.has(entry))
        entry = this.#take(request) ?? (await this.#startWhenRoom(request));
      const change = this.#changed.promise;
      const ready = await abortable(Promise.race([entry.ready, change]), request.signal);
      if (ready !== undefined) return ready;
      if (entry.circuit === undefined) entry = this.#takeComplete(request) ?? entry;
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = deferred();
  }

  #keyOf({ isolation, era }: CircuitRequest): string {
    return era === this.#era ? isolation : JSON.stringify([era, isolation]);
  }

  #claim(entry: Entry, request: CircuitRequest): Entry {
    entry.isolation = this.#keyOf(request);
    entry.dirtySince ??= this.#options.clock.monotonic();
    return entry;
  }

  #start(target: ExitTarget, avoidExits: ReadonlySet<string> = new Set()): Entry {
    throwIfAborted(this.#closing.signal);
    const entry: Entry = {
      target,
      ready: Promise.resolve()
        .then(() => this.#build(entry, avoidExits))
        .catch((error) => {
          throw toTorError(error).code === LEFT_BEHIND ? leftBehind("circuit-collapse") : error;
        }),
      building: new AbortController(),
      since: this.#options.clock.monotonic(),
      unusedLifetime: Number.POSITIVE_INFINITY,
      path: undefined,
      circuit: undefined,
      isolation: undefined,
      dirtySince: undefined,
      retired: false,
    };
    entry.ready.catch(() => this.#entries.delete(entry));
    this.#entries.add(entry);
    this.#startSweep();
    return entry;
  }

  async #build(entry: Entry, avoidExits: ReadonlySet<string>): Promise<PooledCircuit> {
    const { builder, choosePath, unusedLifetime } = this.#options;
    const { signal } = entry.building;
    const choosing = choosePath(entry.target, avoidExits);
    choosing.then(
      ({ ticket }) => signal.aborted && ticket.gaveUp(),
      () => {},
    );
    const path = await abortable(choosing, signal);
    entry.path = path;
    entry.unusedLifetime = unusedLifetime(path.netdir);
    const first = { relay: path.guard, guard: path.ticket };
    const circuit = await builder.build({
      purpose: "general",
      netdir: path.netdir,
      first,
      others: [path.middle, path.exit],
      signal,
    });
    if (signal.aborted) {
      circuit.close();
      throw abortError(signal);
    }
    entry.circuit = circuit;
    circuit.closed.then(() => this.#entries.delete(entry));
    this.#change();
    return { circuit, exit: path.exit };
  }

  #retrying<T>(signal: AbortSignal | undefined, operation: () => Promise<T>): Promise<T> {
    const { clock, retry: policy, onRetry } = this.#options;
    const retryable = (error: TorError) => !FINAL.has(error.kind);
    return retry({ policy, clock, signal, retryable, ...(onRetry && { onRetry }) }, () =>
      abortable(operation(), signal),
    );
  }

  /** Waits while too many circuits are being built; one of those may then do. */
  async #startWhenRoom(request: CircuitRequest): Promise<Entry> {
    for (;;) {
      const pending = [...this.#entries].filter((entry) => entry.circuit === undefined);
      if (pending.length < MAX_PENDING) {
        return this.#claim(this.#start(request.target, request.avoidExits), request);
      }
      await abortable(Promise.race(pending.map((entry) => entry.ready.catch(() => {}))), request.signal);
      const entry = this.#take(request);
      if (entry !== undefined) return entry;
    }
  }

  /** Whether streams to `target` may go onto this circuit, as far as its exit and age of use are concerned. */
  #serves({ retired, circuit, path, target: wanted }: Entry, target: ExitTarget): boolean {
    if (retired || circuit?.isClosed === true) return false;
    if (path === undefined) return wanted.port === target.port && wanted.family === target.family;
    return this.#options.serves(path, target);
  }

  #isIdle({ circuit }: Entry): boolean {
    const since = circuit?.unusedSince;
    return since !== undefined && this.#options.clock.monotonic() - since > SWEEP_INTERVAL;
  }

  #isStale(entry: Entry): boolean {
    const now = this.#options.clock.monotonic();
    return entry.dirtySince === undefined
      ? now - entry.since > entry.unusedLifetime
      : now - entry.dirtySince > this.#options.maxDirtiness;
  }

  #retireEntries(): void {
    for (const entry of [...this.#entries]) this.#retire(entry);
  }

  #retire(entry: Entry): void {
    entry.retired = true;
    if (entry.circuit?.streamCount === 0) {
      this.#entries.delete(entry);
      entry.circuit.close();
    }
  }

  #startSweep(): void {
    if (this.#stopSweep !== undefined) return;
    const timer = this.#options.clock.timer(SWEEP_INTERVAL);
    this.#stopSweep = () => timer.cancel();
    timer.fired.then(() => {
      this.#stopSweep = undefined;
      for (const entry of [...this.#entries]) {
        if (entry.retired || this.#isStale(entry)) this.#retire(entry);
        else if (this.#isIdle(entry)) entry.circuit?.rest();
      }
      if (this.#entries.size > 0) this.#startSweep();
    });
  }
}

/** `aborted` for the builder, so that no guard is blamed for it; `circuit-collapse` for who may try again. */
function leftBehind(kind: "aborted" | "circuit-collapse"): TorError {
  return new TorError(kind, LEFT_BEHIND, "the circuit was given up: the device has another network");
}
