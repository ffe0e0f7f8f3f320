// Follows the consensus without building a circuit of more than one hop: for a bridge, which must know all relays.
// The same code fetches and verifies it as for a client.

import { abortError, throwIfAborted } from "../base/abort.ts";
import { type RetryPolicy, retry } from "../base/backoff.ts";
import type { Clock, Dialer, Log, Store } from "../base/ports.ts";
import type { NetDir, NetworkConfig } from "../directory/api.ts";
import { NetworkStack } from "./stack.ts";

export interface WatchOptions {
  readonly network: NetworkConfig;
  readonly dialer: Dialer;
  readonly store: Store;
  readonly clock: Clock;
  readonly log?: Log;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Whether microdescriptors are fetched too, for `readSnapshot`; the view's `relays` are empty otherwise. */
  readonly microdescriptors?: boolean;
  /** Called with each verified view, the stored one included, whose `orPorts()` are all there are. */
  readonly onNetDir: (netdir: NetDir) => void;
}

/** Documents are read as they come: more than this of them never waits. */
const MEMORY_LIMIT = 32 * 1024 * 1024;

/** A bridge without a consensus is of no use, so it tries for ever; the downloads within have retries of their own. */
const POLICY: RetryPolicy = {
  attempts: Number.POSITIVE_INFINITY,
  initialDelay: 2000,
  maxDelay: 120_000,
  multiplier: 2,
  jitter: 0.25,
};

/** Keeps a verified consensus current until the signal aborts. @throws TorError `aborted`, or why it can never succeed */
export async function watchConsensus(options: WatchOptions): Promise<void> {
  const { network, dialer, store, clock, log, signal, microdescriptors = false, onNetDir } = options;
  throwIfAborted(signal);
  const stack = new NetworkStack({
    ...{ network, dialer, store, clock, log, circuitBuildTimeout: undefined },
    ...{ memoryLimit: MEMORY_LIMIT, padding: "normal", circuits: { cgo: true } },
    // It chooses no path, so it is never short of anything.
    directory: { consensusOnly: !microdescriptors, early: true, shortage: () => undefined, onNetDir },
  });
  try {
    await stack.load();
    await retry(
      {
        ...{ policy: POLICY, clock, signal },
        retryable: ({ kind, code }) => kind !== "bad-api-usage" && code !== "ALLIUM_E_OBSOLETE",
        onRetry: (error, delay) =>
          log?.({
            level: "warn",
            code: "consensus.retry",
            message: "no consensus could be had, it is tried again",
            data: { kind: error.kind, error: error.code, delay: Math.round(delay) },
          }),
      },
      () => stack.directory.bootstrap({ signal }),
    );
    await stack.directory.keepFresh(signal);
    throw abortError(signal);
  } finally {
    await stack.close();
  }
}
