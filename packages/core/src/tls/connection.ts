// An established TLS connection as a byte pipe (RFC 8446 6.1): its two halves share one fate.

import { deferred } from "../base/abort.ts";
import type { ByteStream, RecordStream } from "../base/byte-stream.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { type AlertName, type FaultKind, TlsError } from "./alert.ts";
import type { HandshakeResult } from "./handshake-api.ts";
import { Inbound } from "./inbound.ts";
import { Outbound } from "./outbound.ts";
import type { TlsVersion } from "./protocol.ts";
import type { RecordReader } from "./record-reader.ts";

/** An established connection. Its peer holds the key of the first certificate; what else is proved, `verify` says. */
export interface TlsConnection extends RecordStream {
  /** The chain in DER as the server sent it, the leaf first. */
  readonly peerCertificates: readonly Uint8Array[];
  /** Such as `TLS_AES_128_GCM_SHA256`. */
  readonly cipherSuite: string;
  /** Such as `P-256`. */
  readonly group: string;
  readonly version: TlsVersion;
  /** What ALPN settled on: one of those offered, or undefined where the server knows no ALPN. */
  readonly applicationProtocol: string | undefined;
  /** Fulfilled once the peer has said close_notify, or we have closed; with the error where it failed. */
  readonly closed: Promise<TorError | undefined>;
}

/** Milliseconds that a closing connection gives the pipe to take its last alert. */
export const LINGER = 1000;

/** Closes the pipe once `last` is written, or could not be, or takes too long. */
export function closeAfter(pipe: ByteStream, last: Promise<void>, clock: Clock, reason: unknown): void {
  const timer = clock.timer(LINGER);
  const written = last.catch(() => {});
  Promise.race([written, timer.fired]).then(() => {
    timer.cancel();
    pipe.close(reason);
  });
}

export class Connection implements TlsConnection {
  readonly peerCertificates: readonly Uint8Array[];
  readonly cipherSuite: string;
  readonly group: string;
  readonly version: TlsVersion;
  readonly applicationProtocol: string | undefined;
  readonly #pipe: ByteStream;
  readonly #clock: Clock;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  readonly #over = deferred<TorError | undefined>();
  #closed = false;

  constructor(
    pipe: ByteStream,
    records: RecordReader,
    result: HandshakeResult,
    options: { clock: Clock; rekeyAfter: number; faultKind: FaultKind },
  ) {
    this.peerCertificates = result.certificates;
    this.cipherSuite = result.suite.name;
    this.group = result.group;
    this.version = result.version;
    this.applicationProtocol = result.applicationProtocol;
    this.#pipe = pipe;
    this.#clock = options.clock;
    this.#outbound = new Outbound(pipe, result.outbound, options.rekeyAfter);
    const { version, inbound: protection } = result;
    this.#inbound = new Inbound(
      records,
      { version, protection, faultKind: options.faultKind },
      {
        updateRequested: () => this.#outbound.requestUpdate(),
        failed: (error) => this.#fail(error),
      },
    );
    this.#inbound.run().then(() => this.#over.resolve(undefined));
  }

  get closed(): Promise<TorError | undefined> {
    return this.#over.promise;
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#inbound.read();
  }

  readPieces(): Promise<readonly Uint8Array[] | undefined> {
    return this.#inbound.readPieces();
  }

  async write(data: Uint8Array): Promise<void> {
    try {
      await this.#outbound.write(data);
    } catch (cause) {
      const error = toTorError(cause);
      this.#fail(error);
      throw error;
    }
  }

  close(reason?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = reason === undefined ? undefined : toTorError(reason);
    this.#over.resolve(error);
    this.#inbound.stop(error);
    const refusal = error ?? new TorError("aborted", "ALLIUM_E_TLS_CLOSED", "the TLS connection was closed");
    const last = this.#outbound.finish("close_notify", refusal, error !== undefined);
    closeAfter(this.#pipe, last, this.#clock, reason);
  }

  /** Ends both halves with one error; the peer is told when the fault is its own. */
  #fail(error: TorError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#over.resolve(error);
    this.#inbound.stop(error);
    const alert: AlertName | undefined = error instanceof TlsError ? error.alert : undefined;
    if (alert === undefined) {
      this.#outbound.stop(error);
      this.#pipe.close(error);
    } else {
      closeAfter(this.#pipe, this.#outbound.finish(alert, error, true), this.#clock, error);
    }
  }
}
