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
