// The head of a request as bytes (RFC 9112 3). One order and one spelling for everybody, and nothing that the caller
// did not ask for: no User-Agent, no Referer, no Origin, no Accept-Language.

import { latin1 } from "../../base/encoding.ts";
import { badRequest } from "./errors.ts";
import { isFieldValue, isToken } from "./fields.ts";

export interface RequestHead {
  readonly method: string;
  /** Path and query, in ASCII. */
  readonly target: string;
  /** Host and port as the URL has them (port left out when it is the default). */
  readonly host: string;
  /** The caller's fields, sorted; those that belong to the connection (`isConnectionField`) already taken out. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Bytes of the body; undefined: no body; "chunked": only the end will tell. */
  readonly bodyLength: number | "chunked" | undefined;
}

/** Fields that the client alone decides on, since a wrong one breaks the framing or links requests. */
const CONNECTION_FIELDS = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
]);

/** Whether a caller's field of this lower-case name is passed over, as fetch passes over forbidden names. */
export function isConnectionField(name: string): boolean {
  return CONNECTION_FIELDS.has(name) || name.startsWith("proxy-");
}

/** The head with its closing empty line. @throws TorError `bad-api-usage` when a part could break out of its place */
export function writeRequestHead(head: RequestHead): Uint8Array {
  const fields = requestFields(head);
  const lines = [`${head.method} ${head.target} HTTP/1.1`, `Host: ${head.host}`, "Connection: keep-alive"];
  for (const [name, value] of fields) lines.push(`${canonicalName(name)}: ${value}`);
  if (head.bodyLength === "chunked") lines.push("Transfer-Encoding: chunked");
  return latin1(`${lines.join("\r\n")}\r\n\r\n`);
}

/**
 * The fields of a request that every version of HTTP sends, in their order.
 * @throws TorError `bad-api-usage` when a part of the head could break out of its place
 */
export function requestFields(head: RequestHead): (readonly [name: string, value: string])[] {
  if (!isToken(head.method)) throw badRequest("the method is not a token");
  if (!/^[\x21-\x7e]+$/.test(head.target)) throw badRequest("the request target has a forbidden character");
  if (!/^[\x21-\x7e]+$/.test(head.host)) throw badRequest("the host has a forbidden character");
  const fields = [...acceptFields(head.fields), ...head.fields];
  for (const [name, value] of fields) {
    if (!isToken(name)) throw badRequest("a header name is not a token");
    if (!isFieldValue(value)) throw badRequest(`the value of the header ${name} has a forbidden character`);
  }
  if (typeof head.bodyLength === "number") fields.push(["content-length", `${head.bodyLength}`]);
  return fields;
}

function acceptFields(fields: RequestHead["fields"]): (readonly [string, string])[] {
  const given = new Set(fields.map(([name]) => name));
  const accept: (readonly [string, string])[] = given.has("accept") ? [] : [["accept", "*/*"]];
  // A range of a compressed form is of no use (Fetch, HTTP-network-or-cache fetch 8.22).
  accept.push(["accept-encoding", given.has("range") ? "identity" : "gzip, deflate"]);
  return accept;
}

/** `content-type` as `Content-Type`: some servers compare names with case. */
function canonicalName(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
