// The head of a response and what it says about the body's length (RFC 9112 4 and 6.3). Strict: where the rules
// leave two readings, the response is refused.

import { badField, badFraming, badStatusLine, headLimit } from "./errors.ts";
import { type Fields, listOf, MAX_SECTION_BYTES, readFields, valuesOf } from "./fields.ts";
import type { HttpInput } from "./input.ts";

export interface ResponseHead {
  readonly status: number;
  /** Empty where the version of HTTP has none. */
  readonly statusText: string;
  /** Names in lower case, in the order of the wire. */
  readonly fields: Fields;
}

export interface Http1Head extends ResponseHead {
  readonly minorVersion: 0 | 1;
}

/** How the end of the body is found. */
export type Framing =
  | { readonly kind: "none" | "chunked" | "close" }
  | { readonly kind: "length"; readonly length: number };

/** A server may say 100 or 103 before its answer; more than this is taken for an attempt to keep us busy. */
export const MAX_INTERIM = 8;
const WITHIN = "the response head";
const FRAMING = ["transfer-encoding", "content-length"];

/** Reads the final response's head; interim ones (1xx) are passed over. 101 is one where an upgrade was asked for. */
export async function readResponseHead(input: HttpInput, isUpgrade = false): Promise<Http1Head> {
  for (let interim = 0; interim <= MAX_INTERIM; interim++) {
    const head = await readOneHead(input);
    if (head.status >= 200 || (isUpgrade && head.status === 101)) return head;
    // Whoever sees a body in an interim response sees another response behind it (RFC 9112 6.1, 6.2).
    if (FRAMING.some((name) => valuesOf(head.fields, name).length > 0)) {
      throw badFraming("an interim response with a body");
    }
    if (head.status === 101) throw badStatusLine("the server switches protocols without having been asked");
  }
  throw headLimit(`more than ${MAX_INTERIM} interim responses`);
}

async function readOneHead(input: HttpInput): Promise<Http1Head> {
  const rule = { limit: MAX_SECTION_BYTES, within: WITHIN, tooLong: headLimit, malformed: badStatusLine };
  // Servers that leave out the space before an empty reason are many, and nothing hangs on it.
  const match = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(
    await input.line(rule),
  );
  if (match === null) throw badStatusLine("the status line is not one of HTTP/1.0 or HTTP/1.1");
  return {
    minorVersion: match[1] === "0" ? 0 : 1,
    status: Number(match[2]),
    statusText: match[3] ?? "",
    fields: await readFields(input, WITHIN),
  };
}

/** How the body of the answer to `method` ends. @throws TorError when the head contradicts itself */
export function bodyFraming(head: Http1Head, method: string): Framing {
  const codings = valuesOf(head.fields, "transfer-encoding");
  const lengths = valuesOf(head.fields, "content-length");
  if (codings.length > 0 && lengths.length > 0) {
    throw badFraming("Transfer-Encoding and Content-Length in one response");
  }
  const length = lengths.length > 0 ? parseLength(lengths) : undefined;
  if (codings.length > 0) checkCodings(codings, head);
  if (isBodyless(method, head.status)) return { kind: "none" };
  if (codings.length > 0) return { kind: "chunked" };
  return length === undefined ? { kind: "close" } : { kind: "length", length };
}

/**
 * Whether the stream may carry another request after this response (RFC 9112 9.3). Not after one without a body that
 * announces one, since a server that sends it all the same would have it taken for the next response.
 */
export function keepsConnection(head: Http1Head, framing: Framing, method: string): boolean {
  const [coding, length] = FRAMING.map((name) => valuesOf(head.fields, name)[0]);
  if (framing.kind === "none" && method !== "HEAD") {
    if (coding !== undefined || (head.status === 204 && (length ?? "0") !== "0")) return false;
  }
  return (
    head.minorVersion === 1 &&
    framing.kind !== "close" &&
    !listOf(head.fields, "connection").includes("close")
  );
}

/** Milliseconds for which the server says that it keeps an unused connection, if it says. */
export function keepAliveTimeout(fields: Fields): number | undefined {
  for (const part of listOf(fields, "keep-alive")) {
    const seconds = /^timeout *= *"?([0-9]{1,6})"?$/.exec(part)?.[1];
    if (seconds !== undefined) return Number(seconds) * 1000;
  }
  return undefined;
}

/** Whether an answer with that status to that method has no body, whatever its head says (RFC 9112 6.3). */
export function isBodyless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

/** The value of the Content-Length fields. @throws TorError when there are several, or it is no number */
export function parseLength(values: readonly string[]): number {
  const value = values[0] as string;
  if (values.length > 1) throw badFraming("more than one Content-Length");
  // 15 digits stay below 2^53.
  if (!/^[0-9]{1,15}$/.test(value)) throw badField("Content-Length is not a number");
  return Number(value);
}

function checkCodings(values: readonly string[], head: Http1Head): void {
  if (values.length > 1 || (values[0] as string).toLowerCase() !== "chunked") {
    throw badFraming("a Transfer-Encoding other than chunked");
  }
  if (head.minorVersion === 0) throw badFraming("Transfer-Encoding in an HTTP/1.0 response");
}
