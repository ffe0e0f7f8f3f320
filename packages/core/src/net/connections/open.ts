// Opens connections of the version of HTTP that the server speaks: what ALPN says (RFC 7301), HTTP/1.1 without it.
// What is to go through TLS goes through TLS, or nowhere.

import type { SecureOpener } from "../api.ts";
import { Http1Connection, type Http1Options } from "../http/http1.ts";
import { openHttp2 } from "../http2/connection.ts";
import type { PoolOptions } from "./pool.ts";

const ALPN = ["h2", "http/1.1"];

export function connectionOpener(opener: SecureOpener, options: Http1Options): PoolOptions["open"] {
  return async ({ secure, hostname, port }, isolation, signal) => {
    const request = { hostname, port, isolation, signal };
    if (!secure) return new Http1Connection(await opener.openStream(request), options);
    const stream = await opener.openSecure({ ...request, alpn: ALPN });
    return stream.applicationProtocol === "h2"
      ? openHttp2(stream, options)
      : new Http1Connection(stream, options);
  };
}
