// A time limit on silence: a peer that neither sends nor takes a byte while we wait for it is given up.

import type { ByteStream } from "../../base/byte-stream.ts";
import { TorError } from "../../base/errors.ts";
import type { Clock, Timer } from "../../base/ports.ts";

/** `stream`, closed with an error once a read or a write has waited `ms` milliseconds while no other went through. */
export function withIdleLimit(stream: ByteStream, clock: Clock, ms: number): ByteStream {
  let waiting = 0;
  let since = 0;
  let timer: Timer | undefined;
  let closed = false;

  function close(reason?: unknown): void {
    closed = true;
    timer?.cancel();
    stream.close(reason);
  }
  // One timer that is looked at when it fires, not one for each read.
  function arm(after: number): void {
    timer = clock.timer(after);
    timer.fired.then(() => {
      timer = undefined;
      if (closed || waiting === 0) return;
      const left = since + ms - clock.monotonic();
      if (left > 0) arm(left);
      else close(new TorError("exit-timeout", "ALLIUM_E_HTTP_IDLE", `nothing moved for ${ms} ms`));
    });
  }
  async function waited<T>(operation: Promise<T>): Promise<T> {
    if (waiting++ === 0) since = clock.monotonic();
    if (timer === undefined && !closed) arm(ms);
    try {
      return await operation;
    } finally {
      waiting--;
      since = clock.monotonic();
    }
  }
  return { read: () => waited(stream.read()), write: (data) => waited(stream.write(data)), close };
}
