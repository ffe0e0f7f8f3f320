// TLS to web servers inside Tor streams: the handshake begins at once, so that ClientHello goes along with the request to
// connect (proposal 181), and the server must prove its name before anything of the caller's is sent.
// Not here: TLS itself and what makes a certificate good (tls/).

import type { TorError } from "../base/errors.ts";
import type { Ciphers, Clock } from "../base/ports.ts";
import type { TorStream } from "../circuit/api.ts";
import type { VerifyChain } from "../tls/api.ts";
import { connectTls, type TlsConnection } from "../tls/connect.ts";
import type { SecureRequest, SecureStream, SocketOpener, StreamOpener, StreamRequest } from "./api.ts";

/** What all TLS connections of a client have in common. */
export interface TlsSettings {
  readonly clock: Clock;
  readonly ciphers?: Ciphers | undefined;
  /** Who may vouch for servers; see tls/x509/trust.ts. */
  readonly trust: { verifier(hostname: string, clock: Clock): VerifyChain };
}

/** Milliseconds for a handshake, the exit's connecting included, which is tried three times 15 s. */
const HANDSHAKE_TIMEOUT = 60_000;

export class SecureStreams implements SocketOpener {
  readonly #opener: StreamOpener;
  readonly #settings: TlsSettings;

  constructor(opener: StreamOpener, settings: TlsSettings) {
    this.#opener = opener;
    this.#settings = settings;
  }

  openStream(request: StreamRequest): Promise<TorStream> {
    return this.#opener.openStream(request);
  }

  async openSecure(request: SecureRequest): Promise<SecureStream> {
    return this.secure(await this.#opener.openStream(request), request);
  }

  async secure(stream: TorStream, { hostname, serverName = hostname, alpn, signal }: SecureRequest) {
    const { clock, ciphers, trust } = this.#settings;
    const tls = await connectTls(stream, {
      ...{ serverName, alpn, clock, ciphers, timeout: HANDSHAKE_TIMEOUT },
      ...{ versions: "1.2 and 1.3", faultKind: "remote-tls" },
      verify: trust.verifier(serverName, clock),
      ...(signal && { signal }),
    });
    return new TlsStream(stream, tls);
  }
}

class TlsStream implements SecureStream {
  readonly connected = Promise.resolve();
  readonly #stream: TorStream;
  readonly #tls: TlsConnection;

  constructor(stream: TorStream, tls: TlsConnection) {
    this.#stream = stream;
    this.#tls = tls;
  }

  get applicationProtocol(): string | undefined {
    return this.#tls.applicationProtocol;
  }

  get remoteAddress(): Uint8Array | undefined {
    return this.#stream.remoteAddress;
  }

  get closed(): Promise<TorError | undefined> {
    return this.#tls.closed;
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#tls.read();
  }

  write(data: Uint8Array): Promise<void> {
    return this.#tls.write(data);
  }

  close(reason?: unknown): void {
    this.#tls.close(reason);
  }
}
