// Begins a stream at a hop and waits for the answer, for so long (tor-spec 6.2, 6.4).

import { withTimeout } from "../base/abort.ts";
import { TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { StreamOptions } from "./api.ts";
import { checkConnectedAddress } from "./destination.ts";
import type { Hop, StartMessage } from "./hop.ts";
import type { CircuitStream } from "./stream.ts";

/** Milliseconds for an exit to answer BEGIN or RESOLVE. */
const CONNECT_TIMEOUT = 60_000;

/** The stream once it is answered, or at once where it is optimistic. A failure, a timeout or an abort ends it. */
export async function beginStream(
  hop: Hop,
  message: StartMessage,
  options: StreamOptions,
  clock: Clock,
): Promise<CircuitStream> {
  const { signal, optimistic = false, allowPrivateAddresses = false } = options;
  const ms = options.timeout ?? CONNECT_TIMEOUT;
  const error = () =>
    new TorError(
      "exit-timeout",
      "ALLIUM_E_STREAM_CONNECT_TIMEOUT",
      `the exit did not answer within ${ms} ms`,
    );
  const stream = hop.begin(message, {
    optimistic,
    checkAddress: (address) => checkConnectedAddress(address, allowPrivateAddresses),
  });
  const connected = withTimeout({ clock, ms, signal, error }, () => stream.connected).catch((thrown) => {
    stream.close(thrown);
    throw thrown;
  });
  if (optimistic) connected.catch(() => {});
  else await connected;
  return stream;
}
