// What fetch was asked for, checked as the Request constructor and "fetch" of the Fetch standard check it (5.4, 4.1).
// Not taken from a Request or its init: cache, credentials, mode, referrer, keepalive, priority. There is no cache, no
// cookie jar and no page whose origin could be compared.

import { badApiUsage, TorError } from "../base/errors.ts";
import { isBadPort } from "./bad-ports.ts";
import { isToken } from "./http/fields.ts";
import { bodyOfRequest, extractBody } from "./http/request-body.ts";
import { isConnectionField } from "./http/request-head.ts";
import type { RequestBody } from "./http/upload.ts";
import { type Integrity, parseIntegrity } from "./integrity.ts";

/** A request as it goes over the wire; a redirect makes a new one. */
export interface FetchRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: RequestBody | undefined;
}

export type RedirectMode = "follow" | "error" | "manual";

/** What a redirect does not change. */
export interface PreparedRequest extends FetchRequest {
  readonly redirect: RedirectMode;
  readonly integrity: Integrity | undefined;
}

/** Both inputs as one. @throws TorError `bad-api-usage` */
export async function prepareRequest(
  input: string | URL | Request,
  init: RequestInit,
): Promise<PreparedRequest> {
  const from = input instanceof Request ? input : undefined;
  const url = parseUrl(from === undefined ? String(input) : from.url);
  if (url.protocol !== "data:") checkDestination(url);
  const method = normalizeMethod(init.method ?? from?.method ?? "GET");
  const redirect = init.redirect ?? from?.redirect ?? "follow";
  if (redirect !== "follow" && redirect !== "error" && redirect !== "manual") {
    throw badApiUsage("ALLIUM_E_FETCH_INIT", "redirect must be follow, error or manual");
  }
  const integrity = parseIntegrity(init.integrity ?? from?.integrity ?? "");
  const headers = collectHeaders(init.headers ?? from?.headers);
  const body = await collectBody(from, init);
  if (body !== undefined && (method === "GET" || method === "HEAD")) {
    throw badApiUsage("ALLIUM_E_FETCH_INIT", `a ${method} request cannot have a body`);
  }
  if (body?.contentType !== undefined && !headers.has("content-type")) {
    headers.set("content-type", body.contentType);
  }
  return { url, method, headers, body, redirect, integrity };
}

/** @throws TorError `bad-api-usage` */
export function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw badApiUsage("ALLIUM_E_FETCH_URL", "not an absolute URL");
  return new URL(text);
}

/** Whether fetch may connect there at all; also asked of every redirect. @throws TorError `bad-api-usage` */
export function checkDestination(url: URL): void {
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw badApiUsage(
      "ALLIUM_E_FETCH_SCHEME",
      `fetch over Tor takes http: and https: URLs, not ${url.protocol}`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw badApiUsage("ALLIUM_E_FETCH_CREDENTIALS", "a URL with user name or password is not fetched");
  }
  if (isBadPort(portOf(url))) {
    throw badApiUsage("ALLIUM_E_FETCH_PORT", `port ${portOf(url)} is blocked by the Fetch standard`);
  }
}

export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

function normalizeMethod(method: string): string {
  if (!isToken(method)) throw badApiUsage("ALLIUM_E_FETCH_INIT", "the method is not a token");
  if (/^(?:connect|trace|track)$/i.test(method)) {
    throw badApiUsage("ALLIUM_E_FETCH_INIT", `the method ${method} is forbidden`);
  }
  return /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;
}

function collectHeaders(init: HeadersInit | undefined): Headers {
  try {
    const headers = new Headers(init);
    for (const name of [...headers].map((field) => field[0])) {
      if (isConnectionField(name)) headers.delete(name);
    }
    return headers;
  } catch (cause) {
    throw new TorError("bad-api-usage", "ALLIUM_E_FETCH_INIT", "the headers are malformed", { cause });
  }
}

async function collectBody(from: Request | undefined, init: RequestInit): Promise<RequestBody | undefined> {
  // A stream is taken from init itself: Firefox cannot make a Request of it.
  if (init.body !== undefined && init.body !== null) return extractBody(init.body);
  return from === undefined ? undefined : bodyOfRequest(from);
}
