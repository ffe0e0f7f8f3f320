// A request, its response and the response's body, as every version of HTTP has them (RFC 9110 6).
// Not in this folder: URLs, redirects and everything else that the Fetch standard adds.

import type { NextBytes } from "./body-source.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";
import type { RequestBody } from "./upload.ts";

export interface HttpRequest {
  readonly head: Omit<RequestHead, "bodyLength">;
  readonly body: RequestBody | undefined;
}

export interface HttpResponse extends ResponseHead {
  /** Undefined when the response has no body. */
  readonly body: HttpBody | undefined;
}

export interface HttpBody {
  /** The next piece, or undefined after the end. @throws TorError when it breaks off */
  readonly next: NextBytes;
  /** Gives up the rest, and what is left of the request. Idempotent. */
  cancel(reason?: unknown): void;
}

/** What the head says of the body's length. */
export function lengthOf({ head, body }: HttpRequest): RequestHead["bodyLength"] {
  if (body !== undefined) return body.length ?? "chunked";
  // Servers expect a length where the method usually has a body (RFC 9110 8.6).
  return head.method === "POST" || head.method === "PUT" ? 0 : undefined;
}
