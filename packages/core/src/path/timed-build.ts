// The time that a circuit is given (path-spec 2.4): at the timeout its request goes on to another one, but it is built on to
// be measured until it is abandoned.

import { onAbort, sleep } from "../base/abort.ts";
import { TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { Circuit } from "../circuit/api.ts";
import { type BuildLimits, MEASURED_HOPS } from "./build-timeout/estimator.ts";

/** What is known of build times; BuildTimeouts is the real one. */
export interface BuildTimes {
  limits(hops: number): BuildLimits;
  built(ms: number, options: { readonly late: boolean }): void;
  timedOut(options: { readonly firstHopDone: boolean }): void;
}

/** How many hops are made. */
export interface BuildProgress {
  hops: number;
}

export interface TimedBuildOptions {
  readonly clock: Clock;
  readonly times: BuildTimes;
  /** Of the whole circuit. */
  readonly hops: number;
  readonly signal: AbortSignal | undefined;
  /** Builds it, until the signal aborts. */
  readonly run: (signal: AbortSignal, progress: BuildProgress) => Promise<Circuit>;
  /** At the timeout: whether the request need not wait longer, as other circuits work. */
  readonly mayGiveUp: () => boolean;
  /** It was given up at its timeout. */
  readonly onGiveUp: (error: TorError, progress: BuildProgress) => void;
}

/** @throws TorError what `run` fails with; `circuit-collapse` (`ALLIUM_E_CIRCUIT_TIMEOUT`) when its time is over */
export function timedBuild(options: TimedBuildOptions): Promise<Circuit> {
  const { clock, times, hops, signal, run, mayGiveUp, onGiveUp } = options;
  const begun = clock.monotonic();
  const elapsed = () => clock.monotonic() - begun;
  const measured = hops >= MEASURED_HOPS;
  const abandoned = new AbortController();
  const settled = new AbortController();
  const forget = onAbort(signal, (error) => abandoned.abort(error));
  const progress: BuildProgress = { hops: 0 };
  let late = false;
  let isWanted = true;

  async function untilOver(limit: keyof BuildLimits): Promise<void> {
    // Asked again each time: it may have grown meanwhile.
    for (
      let left = times.limits(hops)[limit] - elapsed();
      left > 0;
      left = times.limits(hops)[limit] - elapsed()
    )
      await sleep(clock, left, settled.signal);
  }

  return new Promise((resolve, reject) => {
    async function watch(): Promise<void> {
      await untilOver("timeout");
      late = true;
      if (measured) times.timedOut({ firstHopDone: progress.hops > 0 });
      if (mayGiveUp()) {
        isWanted = false;
        const error = timeoutError(elapsed());
        onGiveUp(error, progress);
        reject(error);
      }
      await untilOver("abandon");
      abandoned.abort(timeoutError(elapsed()));
    }
    const done = (circuit: Circuit) => {
      if (measured) times.built(elapsed(), { late });
      if (isWanted) resolve(circuit);
      else circuit.close();
    };
    run(abandoned.signal, progress)
      .then(done, reject)
      .finally(() => {
        forget();
        settled.abort();
      });
    watch().catch(() => {});
  });
}

function timeoutError(ms: number): TorError {
  const message = `the circuit was not built within ${Math.round(ms)} ms`;
  return new TorError("circuit-collapse", "ALLIUM_E_CIRCUIT_TIMEOUT", message);
}
