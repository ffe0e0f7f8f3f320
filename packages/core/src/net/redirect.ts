// Redirects (Fetch 4.4, "HTTP-redirect fetch"; "location URL").
// Not here: a URL's fragment, which the standard hands on for navigation and fetch never shows.

import { fromUtf8, latin1 } from "../base/encoding.ts";
import { badApiUsage, TorError, type TorErrorCode } from "../base/errors.ts";
import { checkDestination, type FetchRequest, type RedirectMode } from "./fetch-request.ts";
import { valuesOf } from "./http/fields.ts";
import type { ResponseHead } from "./http/response-head.ts";

/** Fetch 4.4 step 6. */
const MAX_REDIRECTS = 20;
const REDIRECT_STATUS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Fetch, "request-body-header name". */
const BODY_HEADERS = ["content-encoding", "content-language", "content-location", "content-type"];
/** Not handed to another origin. Fetch names Authorization; cookies are the caller's to set here, so they are meant too. */
const ORIGIN_HEADERS = ["authorization", "cookie"];

function refused(code: TorErrorCode, message: string): TorError {
  return new TorError("remote-refused", code, message);
}

/**
 * The request that a response redirects to, or undefined when the response is the answer.
 * @param followed how many redirects led to this response
 * @throws TorError when the redirect must not be followed
 */
export function redirectedRequest(
  request: FetchRequest,
  response: ResponseHead,
  mode: RedirectMode,
  followed: number,
): FetchRequest | undefined {
  if (!REDIRECT_STATUS.has(response.status) || mode === "manual") return undefined;
  if (mode === "error")
    throw refused("ALLIUM_E_REDIRECT_ERROR", "the server redirects, which the caller forbade");
  const location = locationOf(response);
  if (location === undefined) return undefined;
  if (!URL.canParse(location, request.url)) {
    throw refused("ALLIUM_E_REDIRECT_LOCATION", "the server redirects to something that is not a URL");
  }
  const url = new URL(location, request.url);
  if (followed >= MAX_REDIRECTS) {
    throw new TorError("limit", "ALLIUM_E_REDIRECT_LIMIT", `more than ${MAX_REDIRECTS} redirects`);
  }
  checkTarget(url);
  return rewritten(request, response.status, url);
}

function checkTarget(url: URL): void {
  try {
    checkDestination(url);
  } catch (cause) {
    throw new TorError(
      "remote-refused",
      "ALLIUM_E_REDIRECT_TARGET",
      "the server redirects to a URL that fetch refuses",
      {
        cause,
      },
    );
  }
}

function rewritten(request: FetchRequest, status: number, url: URL): FetchRequest {
  if (status !== 303 && request.body !== undefined && !request.body.replayable) {
    throw badApiUsage(
      "ALLIUM_E_REDIRECT_BODY",
      "the server redirects a request whose body cannot be sent again",
    );
  }
  const headers = new Headers(request.headers);
  if (url.origin !== request.url.origin) for (const name of ORIGIN_HEADERS) headers.delete(name);
  const { method, body } = request;
  const toGet =
    ((status === 301 || status === 302) && method === "POST") ||
    (status === 303 && method !== "GET" && method !== "HEAD");
  if (!toGet) return { url, method, headers, body };
  for (const name of BODY_HEADERS) headers.delete(name);
  return { url, method: "GET", headers, body: undefined };
}

function locationOf(response: ResponseHead): string | undefined {
  const values = new Set(valuesOf(response.fields, "location"));
  if (values.size > 1)
    throw refused("ALLIUM_E_REDIRECT_LOCATION", "the server redirects to several places at once");
  for (const value of values) return utf8Text(value);
  return undefined;
}

/** Header values are bytes; servers that put a non-ASCII URL there mean UTF-8. */
function utf8Text(value: string): string {
  try {
    return fromUtf8(latin1(value));
  } catch {
    return value;
  }
}
