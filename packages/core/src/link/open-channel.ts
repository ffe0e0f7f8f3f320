// Opens a channel: dials the relay, runs TLS, runs the link handshake (tor-spec 2 and 4). The room's entry.
// Not in this room: what a circuit's cells mean; link padding; which relay to open a channel to.

import { onAbort, throwIfAborted, withTimeout } from "../base/abort.ts";
import { duplexStream } from "../base/duplex-stream.ts";
import { badApiUsage, TorError } from "../base/errors.ts";
import type { Clock, Dialer, Log } from "../base/ports.ts";
import { connectTls } from "../tls/connect.ts";
import type { Channel, ChannelTarget } from "./api.ts";
import { LinkChannel } from "./channel.ts";
import { shakeHands } from "./handshake.ts";
import { randomServerName } from "./server-name.ts";

/** Dial, TLS and link handshake together; a slow mobile link needs some 5 s, C tor waits 60 s for a circuit in all. */
const DEFAULT_TIMEOUT = 20_000;

export interface OpenChannelOptions {
  readonly dialer: Dialer;
  readonly target: ChannelTarget;
  readonly clock: Clock;
  readonly log?: Log;
  readonly signal?: AbortSignal;
  /** Milliseconds for everything. */
  readonly timeout?: number;
}

/**
 * Opens an authenticated channel to exactly this relay.
 * @throws TorError what the dialer or TLS throws; `relay-identity-mismatch`, `protocol-violation`, `clock-skew`;
 * `offline` (`ALLIUM_E_LINK_TIMEOUT`) when the time is over; `aborted`
 */
export async function openChannel(options: OpenChannelOptions): Promise<Channel> {
  const { clock, target, timeout = DEFAULT_TIMEOUT } = options;
  if (target.addresses.length === 0) throw badApiUsage("ALLIUM_E_BAD_ADDRESS", "the relay has no address");
  const error = () =>
    new TorError(
      "offline",
      "ALLIUM_E_LINK_TIMEOUT",
      `the relay completed no link handshake within ${timeout} ms`,
    );
  return withTimeout({ clock, ms: timeout, signal: options.signal, error }, (signal) =>
    open(options, timeout, signal),
  );
}

async function open(options: OpenChannelOptions, timeout: number, signal: AbortSignal): Promise<Channel> {
  const { dialer, target, clock, log } = options;
  const pipe = duplexStream(await dialer.dial(target.addresses, { signal }));
  const forget = onAbort(signal, (error) => pipe.close(error));
  try {
    throwIfAborted(signal);
    const serverName = randomServerName();
    const tls = await connectTls(pipe, { serverName, clock, timeout, signal, ...(log && { log }) });
    const [leaf] = tls.peerCertificates;
    if (leaf === undefined) throw new TorError("internal", "ALLIUM_E_INTERNAL", "TLS without a certificate");
    const handshake = await shakeHands(tls, leaf, target, clock);
    throwIfAborted(signal);
    return new LinkChannel(tls, handshake, target, clock);
  } catch (error) {
    pipe.close(error);
    throw error;
  } finally {
    forget();
  }
}
