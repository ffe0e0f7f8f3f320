// The opening handshake of a WebSocket (RFC 6455 4.1, as the WebSockets standard has it in "establish a WebSocket connection").
// No extension is offered: permessage-deflate would let a server fill memory from little, and compression beside secrets
// leaks them by length. Redirects and demands to log in are failures.

import { latin1, toBase64 } from "../../base/encoding.ts";
import { randomBytes } from "../../base/random.ts";
import { type Fields, isFieldValue, isToken, valuesOf } from "../http/fields.ts";
import type { HttpInput } from "../http/input.ts";
import { readResponseHead } from "../http/response-head.ts";
import { badHandshake } from "./errors.ts";
import type { SocketRequest } from "./request.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A value of Sec-WebSocket-Key. */
export function makeKey(): string {
  return toBase64(randomBytes(16));
}

/** The client's half, as bytes. Nothing is in it that the caller did not ask for: no Origin, no User-Agent. */
export function handshakeRequest({ url, protocols, headers }: SocketRequest, key: string): Uint8Array {
  const lines = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
  ];
  if (protocols.length > 0) lines.push(`Sec-WebSocket-Protocol: ${protocols.join(", ")}`);
  for (const [name, value] of headers) {
    // Headers of the platform have seen to it already; nothing else may ever break out of its line.
    if (isToken(name) && isFieldValue(value)) lines.push(`${name}: ${value}`);
  }
  return latin1(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Reads the server's half. @returns the subprotocol, or "" @throws TorError */
export async function handshakeAnswer(
  input: HttpInput,
  key: string,
  protocols: readonly string[],
): Promise<string> {
  const { status, minorVersion, fields } = await readResponseHead(input, true);
  if (status !== 101) throw badHandshake(`the server answered with status ${status}`);
  if (
    minorVersion !== 1 ||
    !hasToken(fields, "upgrade", "websocket") ||
    !hasToken(fields, "connection", "upgrade")
  )
    throw badHandshake("the server does not switch to WebSocket");
  const digest = await crypto.subtle.digest("SHA-1", latin1(key + GUID));
  const accept = valuesOf(fields, "sec-websocket-accept");
  if (accept.length !== 1 || accept[0] !== toBase64(new Uint8Array(digest)))
    throw badHandshake("Sec-WebSocket-Accept does not fit the key");
  if (valuesOf(fields, "sec-websocket-extensions").some((value) => value !== ""))
    throw badHandshake("the server wants an extension that was not offered");
  return agreedProtocol(valuesOf(fields, "sec-websocket-protocol"), protocols);
}

function hasToken(fields: Fields, name: string, token: string): boolean {
  return valuesOf(fields, name).some((value) =>
    value.split(",").some((item) => item.trim().toLowerCase() === token),
  );
}

/** One of those asked for; none only where none was. */
function agreedProtocol(answered: readonly string[], asked: readonly string[]): string {
  if (answered.length === 0 && asked.length === 0) return "";
  const [protocol = ""] = answered;
  if (answered.length > 1 || !asked.includes(protocol))
    throw badHandshake("the server chose no subprotocol of those asked for");
  return protocol;
}
