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
  /** Each delay is moved by up to this fraction of itself in either direction. */
  readonly jitter: number;
}

/** Three tries, 1 s, doubling, at most 30 s, jitter of a quarter. */
export const defaultRetryPolicy: RetryPolicy = {
  attempts: 3,
  initialDelay: 1000,
  maxDelay: 30_000,
  multiplier: 2,
  jitter: 0.25,
};

/** The longest wait in ms that an error, and so a bridge or a server, may ask for; for more the caller is told at once. */
const LONGEST_RETRY_AFTER = 120_000;

/** Milliseconds to wait after the `failures`-th failure (1 is the first). */
export function retryDelay(policy: RetryPolicy, failures: number): number {
  const base = Math.min(policy.initialDelay * policy.multiplier ** (failures - 1), policy.maxDelay);
  return base * (1 + policy.jitter * (2 * randomUnit() - 1));
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
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation(attempt);
    } catch (thrown) {
      const error = toTorError(thrown);
      const retryAfter = error.retryAfter ?? 0;
      if (error.kind === "aborted" || attempt >= options.policy.attempts || !options.retryable(error))
        throw error;
      if (retryAfter > LONGEST_RETRY_AFTER) throw error;
      const delay = Math.max(retryDelay(options.policy, attempt), retryAfter);
      options.onRetry?.(error, delay);
      await sleep(options.clock, delay, options.signal);
    }
  }
}
