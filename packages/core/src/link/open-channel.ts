// Opens a channel: dials the relay, runs TLS, runs the link handshake (tor-spec 2 and 4). The room's entry.
// Not in this room: what a circuit's cells mean; which relay to open a channel to, and how many.

import { onAbort, withTimeout } from "../base/abort.ts";
import type { RecordStream } from "../base/byte-stream.ts";
import { duplexStream } from "../base/duplex-stream.ts";
import { badApiUsage, TorError } from "../base/errors.ts";
import type { Ciphers, Clock, Dialer, Log } from "../base/ports.ts";
import { connectTls } from "../tls/connect.ts";
import type { Channel, ChannelTarget } from "./api.ts";
import { LinkChannel, type LinkChannelOptions } from "./channel.ts";
import { shakeHands } from "./handshake.ts";
import { randomServerName } from "./server-name.ts";

/**
 * Dial, TLS and link handshake together take about six round trips through a bridge: a relay that is worth having is there
 * in 20 s even where each takes two seconds with a lost packet, and one that is not is given up while the user still waits.
 */
const DEFAULT_TIMEOUT = 20_000;

export interface OpenChannelOptions {
  readonly dialer: Dialer;
  readonly target: ChannelTarget;
  readonly clock: Clock;
  readonly log?: Log;
  readonly ciphers?: Ciphers | undefined;
  /** Whether the relay is told not to pad (padding-spec 2.5). */
  readonly stopRelayPadding?: boolean | undefined;
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
  const { clock, target, signal, timeout: ms = DEFAULT_TIMEOUT } = options;
  if (target.addresses.length === 0) throw badApiUsage("ALLIUM_E_BAD_ADDRESS", "the relay has no address");
  const progress = { step: "a connection" };
  const error = () =>
    new TorError(
      "offline",
      "ALLIUM_E_LINK_TIMEOUT",
      `no answer within ${ms} ms: ${progress.step} is missing`,
    );
  return withTimeout({ clock, ms, signal, error }, (limited) => open(options, ms, limited, progress));
}

async function open(
  options: OpenChannelOptions,
  timeout: number,
  signal: AbortSignal,
  progress: { step: string },
): Promise<Channel> {
  const { dialer, target, clock, log, ciphers, stopRelayPadding } = options;
  const pipe = duplexStream(await dialer.dial(target.addresses, { signal }));
  // Whatever runs below ends when the pipe does. The signal is of no effect once all is done: it is withTimeout's own.
  onAbort(signal, (error) => pipe.close(error));
  progress.step = "the TLS handshake";
  const serverName = randomServerName();
  const tls = await connectTls(pipe, { serverName, clock, timeout, signal, ciphers, ...(log && { log }) });
  progress.step = "the link handshake";
  // TLS refuses an empty chain.
  const leaf = tls.peerCertificates[0] as Uint8Array;
  return establishChannel(tls, leaf, { target, clock, log, stopRelayPadding });
}

/**
 * The part behind TLS: handshake, then a channel that owns the stream. A stream whose handshake fails is closed.
 * @param tlsLeaf the relay's TLS certificate in DER
 */
export async function establishChannel(
  stream: RecordStream,
  tlsLeaf: Uint8Array,
  options: LinkChannelOptions,
): Promise<Channel> {
  try {
    const handshake = await shakeHands(stream, tlsLeaf, options.target, options.clock);
    const { linkProtocol, clockSkew } = handshake;
    options.log?.({
      level: "debug",
      code: "link-open",
      message: "link handshake done",
      data: { linkProtocol, clockSkew: Math.round(clockSkew) },
    });
    return new LinkChannel(stream, handshake, options);
  } catch (error) {
    stream.close(error);
    throw error;
  }
}
