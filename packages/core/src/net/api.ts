// What the net room needs: somebody who opens an anonymous stream to a destination, or resolves a name at an exit.

import type { ByteStream } from "../base/byte-stream.ts";
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

/** A stream to a server that has proved to be `hostname`. */
export interface SecureStream extends ByteStream {
  /** What ALPN settled on; undefined where the server knows no ALPN. */
  readonly applicationProtocol: string | undefined;
  /** What carries it: says when the exit is connected, and when it ends. */
  readonly stream: TorStream;
}

export interface SecureRequest extends StreamRequest {
  /** Protocol ids to offer by ALPN, the preferred one first (RFC 7301); none is offered where there are none. */
  readonly alpn?: readonly string[];
}

/** Implemented by net's own `secure.ts`: streams through TLS with a verified server at the end. */
export interface SecureOpener extends StreamOpener {
  /** @throws TorError `remote-tls` where the server cannot prove who it is, or what `openStream` throws */
  openSecure(request: SecureRequest): Promise<SecureStream>;
}
