// TLS 1.3 client (RFC 8446) over any byte pipe: the room's entry.
// Not in this room: Tor's certificates and what a relay must prove (link/); whom a web server's chain must name and who
// may vouch for it (a later version); TLS 1.2; resumption and early data, which would let one visit be tied to another.

import { withTimeout } from "../base/abort.ts";
import type { ByteStream } from "../base/byte-stream.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Ciphers, Clock, Log } from "../base/ports.ts";
import { TlsError } from "./alert.ts";
import { type ClientOffer, createOffer } from "./client-hello.ts";
import { Connection, closeAfter, type TlsConnection } from "./connection.ts";
import { runHandshake } from "./handshake.ts";
import { HandshakeChannel } from "./handshake-channel.ts";
import { REKEY_AFTER } from "./record-protection.ts";
import { RecordReader } from "./record-reader.ts";
import { MINIMUM_RSA_BITS } from "./signature-schemes.ts";

export type { TlsConnection } from "./connection.ts";

export interface TlsOptions {
  /** DNS name for SNI; without it none is sent. It is not compared with the certificate. */
  readonly serverName?: string;
  readonly clock: Clock;
  /** Milliseconds for the whole handshake. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
  readonly log?: Log;
  readonly ciphers?: Ciphers | undefined;
}

/** What tests vary to replay recorded handshakes; connectTls has no way to. */
export interface TlsInner {
  readonly offer: ClientOffer;
  readonly minimumRsaBits: number;
  /** Records sent under one key before it is updated. */
  readonly rekeyAfter: number;
}

/**
 * Runs the handshake over `pipe`, which belongs to the connection from then on and is closed when it fails.
 * The signature of the leaf certificate's key is checked always, its chain never.
 * @throws TorError `protocol-violation` (`ALLIUM_E_TLS_…`), `offline` (`ALLIUM_E_TLS_TIMEOUT`), `aborted`,
 * or what the pipe fails with
 */
export async function connectTls(pipe: ByteStream, options: TlsOptions): Promise<TlsConnection> {
  let offer: ClientOffer;
  try {
    offer = await createOffer(options.serverName);
  } catch (error) {
    pipe.close(error);
    throw error;
  }
  return connectWith(pipe, options, { offer, minimumRsaBits: MINIMUM_RSA_BITS, rekeyAfter: REKEY_AFTER });
}

/** `connectTls` with its inner values given; for tests. */
export async function connectWith(
  pipe: ByteStream,
  options: TlsOptions,
  inner: TlsInner,
): Promise<TlsConnection> {
  const { clock, timeout: ms, signal, log, ciphers } = options;
  const records = new RecordReader(pipe);
  const channel = new HandshakeChannel(pipe, records);
  const error = () => new TorError("offline", "ALLIUM_E_TLS_TIMEOUT", "the TLS handshake took too long");
  try {
    const result = await withTimeout({ clock, ms, signal, error }, () =>
      runHandshake(channel, { ...inner, ciphers }),
    );
    log?.({
      level: "debug",
      code: "tls-connected",
      message: "TLS handshake done",
      data: { cipherSuite: result.suite.name, group: result.group },
    });
    channel.destroy();
    return new Connection(pipe, records, result, { clock, rekeyAfter: inner.rekeyAfter });
  } catch (cause) {
    const failure = toTorError(cause);
    // The peer is told only of its own faults; nothing else is worth the wait.
    const told = failure instanceof TlsError ? channel.sendAlert(failure.alert) : Promise.resolve();
    closeAfter(
      pipe,
      told.catch(() => {}).finally(() => channel.destroy()),
      clock,
      failure,
    );
    throw failure;
  }
}
