// What the net room needs: somebody who opens an anonymous stream to a destination, or resolves a name at an exit.

import type { ResolvedAddress, TorStream } from "../circuit/api.ts";

export interface ResolveRequest {
  /** A host name or an IP literal (IPv6 without brackets), already checked and lower-cased. */
  readonly hostname: string;
  /** Streams with different keys never share a circuit. */
  readonly isolation?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StreamRequest extends ResolveRequest {
  readonly port: number;
  /** Told the id of the circuit that carries the stream, once an exit is connected. */
  readonly onCircuit?: ((id: number) => void) | undefined;
}

/** Implemented by the client: asks any exit (tor-spec 6.4). */
export interface NameResolver {
  resolve(request: ResolveRequest): Promise<ResolvedAddress[]>;
}

/**
 * Implemented by the client: picks or builds a circuit whose exit allows the port and opens the stream, which may be given
 * out before its exit is connected: what is written then goes along with the request to connect.
 */
export interface StreamOpener {
  openStream(request: StreamRequest): Promise<TorStream>;
}

/** A stream through TLS to a server that has proved to be the one that was asked for; `connected` once it has. */
export interface SecureStream extends TorStream {
  /** What ALPN settled on; undefined where nothing was offered or the server knows no ALPN. */
  readonly applicationProtocol: string | undefined;
}

/** What TLS to a server takes. */
export interface SecureParameters {
  /** Protocol ids to offer by ALPN, the preferred one first (RFC 7301); none is offered where there are none. */
  readonly alpn?: readonly string[] | undefined;
  /** The name that the server must prove, and is asked for (SNI), where it is not the host name. */
  readonly serverName?: string | undefined;
}

export interface SecureRequest extends StreamRequest, SecureParameters {}

/** Implemented by `secure.ts`: streams through TLS, the server's certificate checked. */
export interface SecureOpener extends StreamOpener {
  /** @throws TorError `remote-tls` where the server cannot prove who it is, or what `openStream` throws */
  openSecure(request: SecureRequest): Promise<SecureStream>;
}

/** What sockets need besides: TLS in the middle of a stream. */
export interface SocketOpener extends SecureOpener {
  /** The same over a stream that is open, which belongs to the outcome from then on. */
  secure(stream: TorStream, request: SecureRequest): Promise<SecureStream>;
}
