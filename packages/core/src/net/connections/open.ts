// Opens connections of the version of HTTP that the server speaks: what ALPN says (RFC 7301), HTTP/1.1 without it.
// What is to go through TLS goes through TLS, or nowhere.

import type { SecureOpener, SecureStream } from "../api.ts";
import type { HttpConnection } from "../http/api.ts";
import { Http1Connection, type Http1Options } from "../http/http1.ts";
import type { PoolOptions } from "./pool.ts";

export interface ConnectionOptions extends Http1Options {
  /** Speaks HTTP/2 on a stream on which the server has chosen it; not offered where there is none. */
  readonly openHttp2?: (stream: SecureStream) => HttpConnection;
}

export function connectionOpener(opener: SecureOpener, options: ConnectionOptions): PoolOptions["open"] {
  const { openHttp2 } = options;
  const alpn = openHttp2 === undefined ? ["http/1.1"] : ["h2", "http/1.1"];
  return async ({ secure, hostname, port }, isolation, signal) => {
    const request = { hostname, port, isolation, signal };
    if (!secure) return new Http1Connection(await opener.openStream(request), options);
    const stream = await opener.openSecure({ ...request, alpn });
    const isHttp2 = stream.applicationProtocol === "h2" && openHttp2 !== undefined;
    return isHttp2 ? openHttp2(stream) : new Http1Connection(stream, options);
  };
}
