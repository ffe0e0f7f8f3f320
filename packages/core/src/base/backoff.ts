// Retry delays: exponential with jitter, the same policy wherever core tries again.

import { sleep } from "./abort.ts";
import type { TorError } from "./errors.ts";
import { toTorError } from "./errors.ts";
import type { Clock } from "./ports.ts";
import { randomUnit } from "./random.ts";

export interface RetryPolicy {
  /** Tries in all, the first included. */
  readonly attempts: number;
  /** Milliseconds before the second try. */
  readonly initialDelay: number;
  /** Upper bound of a delay in milliseconds, before jitter. */
  readonly maxDelay: number;
  readonly multiplier: number;
  /**
   * Each delay is moved by up to this fraction of itself in either direction; `"decorrelated"` draws it between the initial
   * delay and `multiplier` times the one before.
   */
  readonly jitter: number | "decorrelated";
}

/** Three tries, 1 s, doubling, at most 30 s, jitter of a quarter. */
export const defaultRetryPolicy: RetryPolicy = {
  attempts: 3,
  initialDelay: 1000,
  maxDelay: 30_000,
  multiplier: 2,
  jitter: 0.25,
};

/** Policies for lines on which the default gives up too early, or waits too long. */
export const retryPresets = {
  /** Two tries, 0.5 s, at most 10 s: whoever waits would rather hear soon that it failed. */
  lowLatency: { ...defaultRetryPolicy, attempts: 2, initialDelay: 500, maxDelay: 10_000 },
  /** Five tries, 3 s, at most 120 s: for satellites, trains, and bridges that are far away. */
  highLatency: { ...defaultRetryPolicy, attempts: 5, initialDelay: 3000, maxDelay: 120_000 },
} as const satisfies Record<string, RetryPolicy>;

/** The longest wait in ms that an error, and so a bridge or a server, may ask for; for more the caller is told at once. */
const LONGEST_RETRY_AFTER = 120_000;

/**
 * Milliseconds to wait after the `failures`-th failure (1 is the first).
 * @param last the delay before this one, which decorrelated jitter goes on from
 */
export function retryDelay(policy: RetryPolicy, failures: number, last = 0): number {
  const { initialDelay, maxDelay, multiplier, jitter } = policy;
  if (jitter === "decorrelated") {
    const most = Math.min(maxDelay, multiplier * Math.max(last, initialDelay));
    return initialDelay + randomUnit() * (most - initialDelay);
  }
  const base = Math.min(initialDelay * multiplier ** (failures - 1), maxDelay);
  return base * (1 + jitter * (2 * randomUnit() - 1));
}

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Whether another try may help. */
  readonly retryable: (error: TorError) => boolean;
  readonly onRetry?: (error: TorError, delayMs: number) => void;
}

/** Runs `operation` until it succeeds, the tries are used up, its error is final, or the signal aborts. */
export async function retry<T>(
  options: RetryOptions,
  operation: (attempt: number) => Promise<T>,
): Promise<T> {
  let delay = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation(attempt);
    } catch (thrown) {
      const error = toTorError(thrown);
      const retryAfter = error.retryAfter ?? 0;
      if (error.kind === "aborted" || attempt >= options.policy.attempts || !options.retryable(error))
        throw error;
      if (retryAfter > LONGEST_RETRY_AFTER) throw error;
      delay = Math.max(retryDelay(options.policy, attempt, delay), retryAfter);
      options.onRetry?.(error, delay);
      await sleep(options.clock, delay, options.signal);
    }
  }
}
