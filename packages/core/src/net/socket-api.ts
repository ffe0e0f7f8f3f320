// What a socket over Tor offers, in the shape of the WinterTC sockets API (https://sockets-api.proposal.wintertc.org/).

export interface TorSocketOptions {
  /** `on`: TLS from the first byte. `starttls`: plain, until `startTls()`. */
  readonly secureTransport?: "off" | "on" | "starttls";
  /** The name that a server with TLS must prove, and is told that it is asked for; the host name unless told otherwise. */
  readonly sni?: string;
  /** Protocols to offer by ALPN (RFC 7301), the preferred one first. */
  readonly alpn?: readonly string[];
  /** Only false: an END ends a Tor stream in both directions, so nothing could be sent after the peer's. */
  readonly allowHalfOpen?: false;
  /** Sockets with different keys never share a circuit. */
  readonly isolation?: string;
  /** Ends the socket, opened or not, with the signal's error. */
  readonly signal?: AbortSignal;
}

export interface TorSocketInfo {
  /** `ip:port` that the exit connected to, where it said so. */
  readonly remoteAddress?: string;
  /** Never known: it is the exit's. */
  readonly localAddress?: string;
  /** What ALPN settled on. */
  readonly alpn?: string;
}

/**
 * A socket. When the peer ends, `readable` closes, and with it the whole socket. Closing the writer waits for what was
 * written to be taken and sends nothing more, but the peer is not told before `close()`: Tor has no half-close, an END
 * in that moment would cut off the answer.
 */
export interface TorSocket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
  /** Fulfilled once the exit is connected; with TLS, once the server has proved its name. */
  readonly opened: Promise<TorSocketInfo>;
  /** Fulfilled after a clean end or `close()`, rejected with a TorError otherwise. */
  readonly closed: Promise<void>;
  /** Whether `startTls()` has given its connection to another socket. */
  readonly upgraded: boolean;
  readonly secureTransport: "off" | "on" | "starttls";
  /**
   * The same connection through TLS, as a new socket; this one is over. For sockets of `secureTransport: "starttls"`, once.
   * @throws TorError `bad-api-usage` where it cannot be
   */
  startTls(): TorSocket;
  /** Ends both directions at once; what was not yet taken is dropped. Returns `closed`. */
  close(reason?: unknown): Promise<void>;
}
