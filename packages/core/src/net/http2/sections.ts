// The fields of a request and of a response as HTTP/2 has them (RFC 9113 8.2, 8.3): what must not be there is refused.

import { badField, badStatusLine, headLimit } from "../http/errors.ts";
import { type Fields, isFieldValue, isToken, MAX_FIELDS } from "../http/fields.ts";
import { type RequestHead, requestFields } from "../http/request-head.ts";
import type { ResponseHead } from "../http/response-head.ts";

/** Fields that HTTP/2 has no place for (8.2.2). */
const CONNECTION_SPECIFIC = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** The pseudo-header fields, in one order for everybody, then the fields. @throws TorError `bad-api-usage` */
export function requestSection(head: RequestHead): (readonly [name: string, value: string])[] {
  return [
    [":method", head.method],
    [":path", head.target],
    [":authority", head.host],
    [":scheme", "https"],
    ...requestFields(head).map(([name, value]) => [name.toLowerCase(), value] as const),
  ];
}

/** The head that a field section is. @throws TorError when it is malformed */
export function responseHead([first, ...fields]: Fields): ResponseHead {
  if (first?.[0] !== ":status") throw badStatusLine("the response does not begin with :status");
  if (!/^[1-5][0-9]{2}$/.test(first[1])) throw badStatusLine(":status is not a status");
  checkFields(fields);
  return { status: Number(first[1]), statusText: "", fields };
}

/** @throws TorError when the trailers are malformed; nothing else is done with them */
export function checkTrailers(fields: Fields): void {
  checkFields(fields);
  // As in HTTP/1.1: where the body ends is said before it begins (RFC 9110 6.5.1).
  if (fields.some(([name]) => name === "content-length")) throw badField("content-length in the trailers");
}

/** A pseudo-header field is no token, so that one in the wrong place is refused with the rest. */
function checkFields(fields: Fields): void {
  if (fields.length > MAX_FIELDS) throw headLimit(`more than ${MAX_FIELDS} fields`);
  for (const [name, value] of fields) {
    if (!isToken(name) || name !== name.toLowerCase())
      throw badField("a field name that is not one of HTTP/2");
    if (CONNECTION_SPECIFIC.has(name)) throw badField(`the field ${name} in HTTP/2`);
    if (!isFieldValue(value) || /^[\t ]|[\t ]$/.test(value))
      throw badField(`a forbidden character in ${name}`);
  }
}
