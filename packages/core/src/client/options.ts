// The options of TorClient, checked once: what is wrong with them is said at the constructor.

import { defaultRetryPolicy, type RetryPolicy } from "../base/backoff.ts";
import { systemClock } from "../base/clock.ts";
import { badApiUsage, type TorError } from "../base/errors.ts";
import type { Ciphers, Clock, Dialer, Log, Store } from "../base/ports.ts";
import type { NetworkConfig, SnapshotSource } from "../directory/api.ts";
import { parseNetworkConfig } from "../directory/network-config.ts";
import { publicNetwork } from "../directory/public-network.ts";
import { checkExitCountries, type ExitCountries, type ExitCountryOptions } from "../path/geo.ts";
import type { PaddingMode } from "../path/padding.ts";
import { type TrustOptions, TrustStore } from "../tls/x509/trust.ts";

/** How long circuits are used and may take, and where they end. */
export interface PathOptions extends ExitCountryOptions {
  /** Milliseconds from its first stream after which a circuit takes no more; 10 minutes unless told otherwise. */
  readonly maxCircuitDirtiness?: number;
  /** Milliseconds for building a circuit of three hops; learned from how long others took unless told otherwise. */
  readonly circuitBuildTimeout?: number;
  /** Whether circuits are built ahead of need; true unless told otherwise. */
  readonly preemptive?: boolean;
  /** Milliseconds, 10,000 at the least, after which a client in use takes a new identity by itself; never unless told. */
  readonly rotateEvery?: number;
}

/** The same with their defaults. */
export interface CheckedPathOptions {
  readonly maxCircuitDirtiness: number;
  /** Undefined where it is learned. */
  readonly circuitBuildTimeout: number | undefined;
  readonly preemptive: boolean;
  /** Undefined for never. */
  readonly rotateEvery: number | undefined;
  /** Undefined where any country will do. */
  readonly exits: ExitCountries | undefined;
}

/** What relays are asked for. */
export interface CircuitSettings {
  /**
   * Whether exits that can are asked for Counter Galois Onion, which keeps relays from marking cells; true unless told
   * otherwise. Without it transfers cost less, and an exit can tell this client from others.
   */
  readonly cgo?: boolean;
}

/** How streams are opened. */
export interface StreamSettings {
  /** Whether what is written goes out before the exit is connected, which saves a round trip; true unless told otherwise. */
  readonly optimisticData?: boolean;
  /** Milliseconds for an exit to connect or to resolve before another one is tried; 15 s unless told otherwise. */
  readonly connectTimeout?: number;
}

/** All that a client can be told; unknown names and values out of range are refused (`bad-api-usage`). */
export interface TorClientOptions {
  /** Carries bytes to relays. */
  readonly dialer: Dialer;
  /** Keeps guards and the view of the network between runs. */
  readonly store: Store;
  /** Which Tor network; the public one unless told otherwise. */
  readonly network?: NetworkConfig;
  /** Where the directory's documents are tried first, as bridges serve them; through Tor alone where there is none. */
  readonly snapshots?: SnapshotSource;
  readonly path?: PathOptions;
  readonly circuits?: CircuitSettings;
  readonly streams?: StreamSettings;
  /** Whom TLS to web servers trusts; without roots `https:` and `wss:` are refused. */
  readonly tls?: TrustOptions;
  /** How circuits and the bootstrap are tried again. */
  readonly retry?: Partial<RetryPolicy>;
  /** Gets every log line, of all levels. */
  readonly log?: Log;
  /** Closes the client when it aborts. */
  readonly signal?: AbortSignal;
  /** The time; the system's unless told otherwise. */
  readonly clock?: Clock;
  /**
   * Padding of the link to the guard, which hides from observers of the network when the client is active: `normal`,
   * `reduced` for metered connections (half the traffic, links and unused circuits kept half as long), or `off`.
   */
  readonly channelPadding?: PaddingMode;
  /** Synchronous ciphers, where the platform has them; `nodeCiphers()` of `@allium/bridge` in Node. */
  readonly ciphers?: Ciphers;
  /**
   * Bytes that may wait for readers of all streams together, 64 MiB unless told otherwise. Above it the stream whose data
   * have waited longest is ended with `ALLIUM_E_MEMORY_LIMIT`.
   */
  readonly memoryLimit?: number;
}

/** The options with their defaults. */
export interface CheckedOptions {
  readonly dialer: Dialer;
  readonly store: Store;
  readonly network: NetworkConfig;
  readonly snapshots: SnapshotSource | undefined;
  readonly path: CheckedPathOptions;
  readonly circuits: Required<CircuitSettings>;
  readonly streams: Required<StreamSettings>;
  readonly trust: TrustStore;
  readonly retry: RetryPolicy;
  readonly log: Log | undefined;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly ciphers: Ciphers | undefined;
  readonly memoryLimit: number;
  readonly padding: PaddingMode;
}

/** tor(1) "MaxCircuitDirtiness". */
const MAX_CIRCUIT_DIRTINESS = 600_000;

/** C tor's MAX_SIGNEWNYM_RATE: relays pay for each circuit, be it used or not. */
const LEAST_ROTATION = 10_000;

/** C tor gives a circuit 10 to 15 s before it tries another (connection_ap_expire_beginning). */
const CONNECT_TIMEOUT = 15_000;

/** Less could not hold one read. */
const LEAST_MEMORY = 1024 * 1024;

/** One stream may hold 8 MiB; a page that reads what it asks for stays far below. */
const MEMORY_LIMIT = 64 * 1024 * 1024;

const KNOWN = new Set([
  ...["dialer", "store", "network", "path", "circuits", "streams", "tls", "retry", "log", "signal"],
  ...["clock", "ciphers", "memoryLimit", "channelPadding", "snapshots"],
]);
const KNOWN_CIRCUITS = new Set(["cgo"]);
const KNOWN_STREAMS = new Set(["optimisticData", "connectTimeout"]);
const KNOWN_TLS = new Set(["roots", "extraAnchors", "pins"]);
const KNOWN_RETRY = new Set(["attempts", "initialDelay", "maxDelay", "multiplier", "jitter"]);
const KNOWN_PATH = new Set([
  ...["maxCircuitDirtiness", "circuitBuildTimeout", "preemptive", "rotateEvery"],
  ...["exitCountries", "strict", "geo"],
]);

function wrong(message: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_OPTIONS", `TorClient: ${message}`);
}

/** @throws TorError `bad-api-usage` */
export function checkOptions(options: TorClientOptions): CheckedOptions {
  if (typeof options !== "object" || options === null) throw wrong("options must be an object");
  refuseUnknown(options, KNOWN, "option");
  const { dialer, store, network = publicNetwork, log, signal, clock = systemClock, ciphers } = options;
  const { memoryLimit = MEMORY_LIMIT, channelPadding: padding = "normal", snapshots } = options;
  if (typeof dialer?.dial !== "function") throw wrong("dialer must be a Dialer");
  if (typeof store?.get !== "function" || typeof store.set !== "function" || typeof store.lock !== "function")
    throw wrong("store must be a Store");
  if (typeof clock?.now !== "function" || typeof clock.timer !== "function")
    throw wrong("clock must be a Clock");
  if (ciphers !== undefined && (typeof ciphers.gcm !== "function" || typeof ciphers.ctr !== "function"))
    throw wrong("ciphers must be Ciphers");
  if (snapshots !== undefined && typeof snapshots.fetch !== "function")
    throw wrong("snapshots must be a SnapshotSource");
  if (!["normal", "reduced", "off"].includes(padding))
    throw wrong('channelPadding must be "normal", "reduced" or "off"');
  if (!Number.isSafeInteger(memoryLimit) || memoryLimit < LEAST_MEMORY)
    throw wrong(`memoryLimit must be a whole number of bytes, ${LEAST_MEMORY} at the least`);
  if (log !== undefined && typeof log !== "function") throw wrong("log must be a function");
  return {
    dialer,
    store,
    network: network === publicNetwork ? network : parseNetworkConfig(network),
    snapshots,
    path: checkPath(options.path ?? {}),
    circuits: checkCircuits(options.circuits ?? {}),
    streams: checkStreams(options.streams ?? {}),
    trust: checkTrust(options.tls ?? {}),
    retry: checkRetry(options.retry ?? {}),
    log,
    signal,
    clock,
    ciphers,
    memoryLimit,
    padding,
  };
}

function checkPath(path: PathOptions): CheckedPathOptions {
  refuseUnknown(path, KNOWN_PATH, "path option");
  const { maxCircuitDirtiness = MAX_CIRCUIT_DIRTINESS, circuitBuildTimeout, preemptive = true } = path;
  const { rotateEvery } = path;
  positive(maxCircuitDirtiness, "path.maxCircuitDirtiness");
  if (circuitBuildTimeout !== undefined) positive(circuitBuildTimeout, "path.circuitBuildTimeout");
  if (typeof preemptive !== "boolean") throw wrong("path.preemptive must be true or false");
  if (rotateEvery !== undefined) positive(rotateEvery, "path.rotateEvery");
  if (rotateEvery !== undefined && rotateEvery < LEAST_ROTATION)
    throw wrong(`path.rotateEvery must be at least ${LEAST_ROTATION} ms`);
  return {
    ...{ maxCircuitDirtiness, circuitBuildTimeout, preemptive, rotateEvery },
    exits: checkExitCountries(path),
  };
}

function checkCircuits(circuits: CircuitSettings): Required<CircuitSettings> {
  refuseUnknown(circuits, KNOWN_CIRCUITS, "circuit option");
  const { cgo = true } = circuits;
  if (typeof cgo !== "boolean") throw wrong("circuits.cgo must be true or false");
  return { cgo };
}

function checkStreams(streams: StreamSettings): Required<StreamSettings> {
  refuseUnknown(streams, KNOWN_STREAMS, "stream option");
  const { optimisticData = true, connectTimeout = CONNECT_TIMEOUT } = streams;
  if (typeof optimisticData !== "boolean") throw wrong("streams.optimisticData must be true or false");
  positive(connectTimeout, "streams.connectTimeout");
  return { optimisticData, connectTimeout };
}

function checkTrust(tls: TrustOptions): TrustStore {
  refuseUnknown(tls, KNOWN_TLS, "tls option");
  if (tls.roots !== undefined && typeof tls.roots !== "function")
    throw wrong("tls.roots must be a function that brings the contents of roots.bin");
  return new TrustStore(tls);
}

function checkRetry(retry: Partial<RetryPolicy>): RetryPolicy {
  refuseUnknown(retry, KNOWN_RETRY, "retry option");
  const policy = { ...defaultRetryPolicy, ...retry };
  if (!Number.isInteger(policy.attempts) || policy.attempts < 1)
    throw wrong("retry.attempts must be a whole number of at least 1");
  positive(policy.initialDelay, "retry.initialDelay");
  positive(policy.maxDelay, "retry.maxDelay");
  if (!(policy.multiplier >= 1)) throw wrong("retry.multiplier must be at least 1");
  if (policy.jitter !== "decorrelated" && !(policy.jitter >= 0 && policy.jitter <= 1))
    throw wrong('retry.jitter must be between 0 and 1, or "decorrelated"');
  return policy;
}

function positive(value: number, name: string): void {
  if (!Number.isFinite(value) || value <= 0) throw wrong(`${name} must be a number of milliseconds above 0`);
}

function refuseUnknown(options: object, known: ReadonlySet<string>, what: string): void {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw wrong(`there is no ${what} "${name.slice(0, 40)}"`);
  }
}
