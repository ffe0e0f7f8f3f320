// TLS client over any byte pipe, to relays (TLS 1.3: RFC 8446) and to web servers (TLS 1.2 too: RFC 5246): the room's entry.
// Not in this room: Tor's certificates and what a relay must prove (link/); resumption and early data, which would let one
// visit be tied to another.

import { withTimeout } from "../base/abort.ts";
import type { ByteStream } from "../base/byte-stream.ts";
import { TorError } from "../base/errors.ts";
import type { Ciphers, Clock, Log } from "../base/ports.ts";
import { type FaultKind, faultOf, TlsError } from "./alert.ts";
import type { TlsVersions, VerifyChain } from "./api.ts";
import { type ClientOffer, createOffer } from "./client-hello.ts";
import { Connection, closeAfter, type TlsConnection } from "./connection.ts";
import { runHandshake } from "./handshake.ts";
import { HandshakeChannel } from "./handshake-channel.ts";
import { REKEY_AFTER } from "./record-protection.ts";
import { RecordReader } from "./record-reader.ts";
import { MINIMUM_RSA_BITS } from "./signature-schemes.ts";

export type { TlsConnection } from "./connection.ts";

export interface TlsOptions {
  /** DNS name for SNI; without it, or with an IP literal, none is sent. It is not compared with the certificate. */
  readonly serverName?: string | undefined;
  /** "1.3" unless given: the hello that relays get. "1.2 and 1.3" sends the one for web servers. */
  readonly versions?: TlsVersions | undefined;
  /** Protocol ids to offer, the preferred one first (RFC 7301). The server may know no ALPN, but may choose no other. */
  readonly alpn?: readonly string[] | undefined;
  /** Asked once the leaf's key has signed the handshake; no byte of the application moves before it has agreed. */
  readonly verify?: VerifyChain | undefined;
  /** Kind of the errors for what the server does wrong, `protocol-violation` unless given. */
  readonly faultKind?: FaultKind | undefined;
  readonly clock: Clock;
  /** Milliseconds for the whole handshake, `verify` included. */
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
 * The signature of the leaf certificate's key is checked always, its chain by `verify` alone.
 * @throws TorError of the `faultKind` (`ALLIUM_E_TLS_…`), `offline` or with `remote-tls` `exit-timeout`
 * (`ALLIUM_E_TLS_TIMEOUT`), `aborted`, or what `verify` or the pipe fails with
 */
export async function connectTls(pipe: ByteStream, options: TlsOptions): Promise<TlsConnection> {
  let offer: ClientOffer;
  try {
    offer = await createOffer(options);
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
  const { clock, timeout: ms, signal, log, ciphers, verify, faultKind = "protocol-violation" } = options;
  const records = new RecordReader(pipe);
  const channel = new HandshakeChannel(pipe, records, inner.offer.tls12 ? undefined : "TLS 1.3");
  const late = faultKind === "remote-tls" ? "exit-timeout" : "offline";
  const error = () => new TorError(late, "ALLIUM_E_TLS_TIMEOUT", "the TLS handshake took too long");
  try {
    const result = await withTimeout({ clock, ms, signal, error }, () =>
      runHandshake(channel, { ...inner, ciphers, verify }),
    );
    log?.({
      level: "debug",
      code: "tls-connected",
      message: "TLS handshake done",
      data: { version: result.version, cipherSuite: result.suite.name, group: result.group },
    });
    channel.destroy();
    return new Connection(pipe, records, result, { clock, rekeyAfter: inner.rekeyAfter, faultKind });
  } catch (cause) {
    const failure = faultOf(cause, faultKind);
    // The peer is told only of its own faults; nothing else is worth the wait.
    const alert = failure instanceof TlsError ? failure.alert : undefined;
    const told = alert === undefined ? Promise.resolve() : channel.sendAlert(alert);
    closeAfter(
      pipe,
      told.catch(() => {}).finally(() => channel.destroy()),
      clock,
      failure,
    );
    throw failure;
  }
}
