// A time limit on silence: a peer that neither sends nor takes a byte while we wait for it is given up.

import type { ByteStream } from "../../base/byte-stream.ts";
import { TorError } from "../../base/errors.ts";
import type { Clock, Timer } from "../../base/ports.ts";

/** Waits that end when nothing moves any more. */
export interface IdleWatch {
  /** `operation`, whose time counts as silence until it settles. */
  waited<T>(operation: Promise<T>): Promise<T>;
  /** Something moved, though no wait is over. */
  moved(): void;
  /** Ends the watch. Idempotent. */
  stop(): void;
}

/** Calls `onIdle` once something has been waited for `ms` milliseconds during which nothing moved. */
export function watchIdle(clock: Clock, ms: number, onIdle: (error: TorError) => void): IdleWatch {
  let waiting = 0;
  let since = 0;
  let timer: Timer | undefined;
  let stopped = false;

  const moved = () => {
    since = clock.monotonic();
  };
  const stop = () => {
    stopped = true;
    timer?.cancel();
  };
  // One timer that is looked at when it fires, not one for each wait.
  function arm(after: number): void {
    timer = clock.timer(after);
    timer.fired.then(() => {
      timer = undefined;
      if (stopped || waiting === 0) return;
      const left = since + ms - clock.monotonic();
      if (left > 0) return arm(left);
      stop();
      onIdle(new TorError("exit-timeout", "ALLIUM_E_HTTP_IDLE", `nothing moved for ${ms} ms`));
    });
  }
  async function waited<T>(operation: Promise<T>): Promise<T> {
    if (waiting++ === 0) moved();
    if (timer === undefined && !stopped) arm(ms);
    try {
      return await operation;
    } finally {
      waiting--;
      moved();
    }
  }
  return { waited, moved, stop };
}

/** `stream`, closed with an error once a read or a write has waited `ms` milliseconds while no other went through. */
export function withIdleLimit(stream: ByteStream, clock: Clock, ms: number): ByteStream {
  const close = (reason?: unknown) => {
    watch.stop();
    stream.close(reason);
  };
  const watch = watchIdle(clock, ms, close);
  return {
    read: () => watch.waited(stream.read()),
    write: (data) => watch.waited(stream.write(data)),
    close,
  };
}
