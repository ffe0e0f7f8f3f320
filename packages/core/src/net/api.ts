// What the net room needs: somebody who opens an anonymous stream to a destination.

import type { TorStream } from "../circuit/api.ts";

export interface StreamRequest {
  /** A host name or an IP literal (IPv6 without brackets), already checked and lower-cased. */
  readonly hostname: string;
  readonly port: number;
  /** Streams with different keys never share a circuit. */
  readonly isolation?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Implemented by the client: picks or builds a circuit whose exit allows the port and opens the stream. */
export interface StreamOpener {
  openStream(request: StreamRequest): Promise<TorStream>;
}
