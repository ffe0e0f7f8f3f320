// What a WebSocket is asked for, checked as the constructor of the WebSockets standard does (3.1), and what makes it fail later.
// Not here: a base URL. Core knows no page, so a relative URL is none.

import { badApiUsage } from "../../base/errors.ts";
import { isBadPort } from "../bad-ports.ts";
import { isToken } from "../http/fields.ts";
import { isConnectionField } from "../http/request-head.ts";
import type { TorWebSocketOptions } from "./api.ts";

export interface SocketRequest {
  /** `ws:` or `wss:`, without a fragment. */
  readonly url: URL;
  readonly protocols: readonly string[];
  readonly headers: Headers;
  readonly isolation: string | undefined;
  readonly signal: AbortSignal | undefined;
}

function syntaxError(message: string): DOMException {
  return new DOMException(message, "SyntaxError");
}

/** @throws DOMException `SyntaxError`; TypeError for headers that are none */
export function socketRequest(
  url: string | URL,
  given: string | Iterable<string> | TorWebSocketOptions,
): SocketRequest {
  const isOptions = typeof given === "object" && given !== null && !(Symbol.iterator in given);
  const options = isOptions ? given : { protocols: given as string | Iterable<string> };
  const parsed = parseUrl(String(url));
  const headers = new Headers(options.headers);
  for (const [name] of [...headers])
    if (isConnectionField(name) || name.startsWith("sec-websocket-")) headers.delete(name);
  const { isolation, signal } = options;
  return { url: parsed, protocols: checkProtocols(options.protocols ?? []), headers, isolation, signal };
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw syntaxError("not an absolute URL");
  const url = new URL(text);
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:")
    throw syntaxError(`a WebSocket's URL is ws:, wss:, http: or https:, not ${url.protocol}`);
  // An empty fragment is one, too.
  if (url.href.includes("#")) throw syntaxError("a WebSocket's URL has no fragment");
  return url;
}

function checkProtocols(given: string | Iterable<string>): string[] {
  const protocols = typeof given === "object" ? Array.from(given, String) : [String(given)];
  if (
    !protocols.every(isToken) ||
    new Set(protocols.map((name) => name.toLowerCase())).size < protocols.length
  )
    throw syntaxError("a subprotocol is not a token, or there twice");
  return protocols;
}

/** Why there can be no connection, though the constructor takes the URL. @throws TorError `bad-api-usage` */
export function destinationOf({ url }: SocketRequest): { hostname: string; port: number; isSecure: boolean } {
  const isSecure = url.protocol === "wss:";
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
  if (isBadPort(port)) throw badApiUsage("ALLIUM_E_WS_PORT", `port ${port} is blocked by the Fetch standard`);
  if (url.username !== "" || url.password !== "")
    throw badApiUsage("ALLIUM_E_WS_CREDENTIALS", "a URL with user name or password is not connected to");
  return { hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, isSecure };
}
