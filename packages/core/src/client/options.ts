// The options of TorClient, checked once: what is wrong with them is said at the constructor.

import { defaultRetryPolicy, type RetryPolicy } from "../base/backoff.ts";
import { systemClock } from "../base/clock.ts";
import { badApiUsage, type TorError } from "../base/errors.ts";
import type { Clock, Dialer, Log, Store } from "../base/ports.ts";
import type { NetworkConfig } from "../directory/api.ts";
import { parseNetworkConfig } from "../directory/network-config.ts";
import { publicNetwork } from "../directory/public-network.ts";

export interface PathOptions {
  /** Milliseconds from its first stream after which a circuit takes no more; 10 minutes unless told otherwise. */
  readonly maxCircuitDirtiness?: number;
  /** Milliseconds for building a circuit; 60 seconds unless told otherwise. */
  readonly circuitBuildTimeout?: number;
}

export interface TorClientOptions {
  /** Carries bytes to relays. */
  readonly dialer: Dialer;
  /** Keeps guards and the view of the network between runs. */
  readonly store: Store;
  /** Which Tor network; the public one unless told otherwise. */
  readonly network?: NetworkConfig;
  readonly path?: PathOptions;
  /** How circuits and the bootstrap are tried again. */
  readonly retry?: Partial<RetryPolicy>;
  readonly log?: Log;
  /** Closes the client when it aborts. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** The options with their defaults. */
export interface CheckedOptions {
  readonly dialer: Dialer;
  readonly store: Store;
  readonly network: NetworkConfig;
  readonly path: Required<PathOptions>;
  readonly retry: RetryPolicy;
  readonly log: Log | undefined;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
}

/** tor(1) "MaxCircuitDirtiness". */
const MAX_CIRCUIT_DIRTINESS = 600_000;

/** param-spec "cbtinitialtimeout". */
const CIRCUIT_BUILD_TIMEOUT = 60_000;

const KNOWN = new Set(["dialer", "store", "network", "path", "retry", "log", "signal", "clock"]);
const KNOWN_PATH = new Set(["maxCircuitDirtiness", "circuitBuildTimeout"]);

function wrong(message: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_OPTIONS", `TorClient: ${message}`);
}

/** @throws TorError `bad-api-usage` */
export function checkOptions(options: TorClientOptions): CheckedOptions {
  if (typeof options !== "object" || options === null) throw wrong("options must be an object");
  refuseUnknown(options, KNOWN, "option");
  const { dialer, store, network = publicNetwork, log, signal, clock = systemClock } = options;
  if (typeof dialer?.dial !== "function") throw wrong("dialer must be a Dialer");
  if (typeof store?.get !== "function" || typeof store.set !== "function" || typeof store.lock !== "function")
    throw wrong("store must be a Store");
  if (typeof clock?.now !== "function" || typeof clock.timer !== "function")
    throw wrong("clock must be a Clock");
  if (log !== undefined && typeof log !== "function") throw wrong("log must be a function");
  return {
    dialer,
    store,
    network: network === publicNetwork ? network : parseNetworkConfig(network),
    path: checkPath(options.path ?? {}),
    retry: checkRetry({ ...defaultRetryPolicy, ...options.retry }),
    log,
    signal,
    clock,
  };
}

function checkPath(path: PathOptions): Required<PathOptions> {
  refuseUnknown(path, KNOWN_PATH, "path option");
  const { maxCircuitDirtiness = MAX_CIRCUIT_DIRTINESS, circuitBuildTimeout = CIRCUIT_BUILD_TIMEOUT } = path;
  positive(maxCircuitDirtiness, "path.maxCircuitDirtiness");
  positive(circuitBuildTimeout, "path.circuitBuildTimeout");
  return { maxCircuitDirtiness, circuitBuildTimeout };
}

function checkRetry(policy: RetryPolicy): RetryPolicy {
  if (!Number.isInteger(policy.attempts) || policy.attempts < 1)
    throw wrong("retry.attempts must be a whole number of at least 1");
  positive(policy.initialDelay, "retry.initialDelay");
  positive(policy.maxDelay, "retry.maxDelay");
  if (!(policy.multiplier >= 1)) throw wrong("retry.multiplier must be at least 1");
  if (!(policy.jitter >= 0 && policy.jitter <= 1)) throw wrong("retry.jitter must be between 0 and 1");
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
