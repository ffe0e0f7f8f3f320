// Waits that end: by a signal, by a timeout, or by both. Every wait in core goes through here.

import { abortedError, isTorError, type TorError } from "./errors.ts";
import type { Clock } from "./ports.ts";

/** The TorError for an aborted signal: its reason when that is a TorError, an `aborted` error otherwise. */
export function abortError(signal: AbortSignal): TorError {
  return isTorError(signal.reason) ? signal.reason : abortedError(signal.reason);
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** Runs `listener` once when the signal aborts (at once if it has); the returned function forgets it. */
export function onAbort(signal: AbortSignal | undefined, listener: (error: TorError) => void): () => void {
  if (signal === undefined) return () => {};
  const run = () => listener(abortError(signal));
  if (signal.aborted) {
    run();
    return () => {};
  }
  signal.addEventListener("abort", run, { once: true });
  return () => signal.removeEventListener("abort", run);
}

/** `promise`, or the signal's error if that comes first. The promise itself goes on; its late failure is ignored. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const forget = onAbort(signal, reject);
    promise.then(resolve, reject).finally(forget);
  });
}

export interface TimeLimit {
  readonly clock: Clock;
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
  /** The error thrown when the time is over. */
  readonly error: () => TorError;
}

/**
 * Runs `operation` with a signal that aborts when the caller's does or when the time is over,
 * and rejects then even if the operation does not listen.
 */
export async function withTimeout<T>(
  limit: TimeLimit,
  operation: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(limit.signal);
  const controller = new AbortController();
  const forget = onAbort(limit.signal, (error) => controller.abort(error));
  const timer = limit.clock.timer(limit.ms);
  timer.fired.then(() => controller.abort(limit.error()));
  try {
    return await abortable(operation(controller.signal), controller.signal);
  } finally {
    timer.cancel();
    forget();
  }
}

/** Waits `ms` milliseconds or until the signal aborts. */
export async function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  const timer = clock.timer(ms);
  try {
    await abortable(timer.fired, signal);
  } finally {
    timer.cancel();
  }
}

/** A promise with its handles. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise settled from outside; an unobserved rejection is not reported. */
export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** Waits for a promise for so many milliseconds at the most. @returns whether it was fulfilled by then; never rejects */
export async function settledWithin(clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = clock.timer(ms);
  const done = promise.then(
    () => true,
    () => false,
  );
  const isDone = await Promise.race([done, timer.fired.then(() => false)]);
  timer.cancel();
  return isDone;
}
