// One HTTP/1.1 request and its response over one stream (RFC 9112), which is closed afterwards.
// Not in this folder: URLs, redirects and everything else that the Fetch standard adds; and no pipelining, no reuse of
// connections, no upgrade: a Tor stream costs a round trip, and a connection of its own keeps requests unlinked.

import type { ByteStream } from "../../base/byte-stream.ts";
import { bodySource, type NextBytes } from "./body-source.ts";
import { HttpInput } from "./input.ts";
import { type RequestHead, writeRequestHead } from "./request-head.ts";
import { bodyFraming, type ResponseHead, readResponseHead } from "./response-head.ts";
import { type RequestBody, startUpload, type Upload } from "./upload.ts";

export interface HttpResponse extends ResponseHead {
  /** Undefined when the response has no body; the stream is closed then. */
  readonly body: HttpBody | undefined;
}

export interface HttpBody {
  /** The next piece, or undefined after the end. @throws TorError when it breaks off; the stream is closed then */
  readonly next: NextBytes;
  /** Gives up the rest, and what is left of the request. Idempotent. */
  cancel(reason?: unknown): void;
}

export interface HttpRequest {
  readonly head: Omit<RequestHead, "bodyLength">;
  readonly body: RequestBody | undefined;
}

/**
 * Sends the request and settles with the head of the response, which may come before the request is sent whole.
 * Owns the stream: it is closed after the body, after `cancel`, and after any failure.
 */
export async function exchange(stream: ByteStream, request: HttpRequest): Promise<HttpResponse> {
  const input = new HttpInput(stream);
  let upload: Upload | undefined;
  const cancel = (reason?: unknown) => {
    upload?.stop(reason);
    stream.close(reason);
  };
  try {
    upload = startUpload(
      stream,
      writeRequestHead({ ...request.head, bodyLength: lengthOf(request) }),
      request.body,
    );
    const head = await readResponseHead(input);
    const source = bodySource(input, bodyFraming(head, request.head.method));
    // A server may answer before it has taken the whole request: what is left of that still goes out.
    const finish = () => void upload?.done.then(() => stream.close());
    if (source === undefined) finish();
    return { ...head, body: source && { next: closingNext(source, finish, cancel), cancel } };
  } catch (error) {
    cancel(error);
    throw error;
  }
}

/** What the head says of the body's length. */
export function lengthOf({ head, body }: HttpRequest): RequestHead["bodyLength"] {
  if (body !== undefined) return body.length ?? "chunked";
  // Servers expect a length where the method usually has a body (RFC 9110 8.6).
  return head.method === "POST" || head.method === "PUT" ? 0 : undefined;
}

function closingNext(source: NextBytes, finish: () => void, cancel: (reason: unknown) => void): NextBytes {
  return async () => {
    try {
      const bytes = await source();
      if (bytes === undefined) finish();
      return bytes;
    } catch (error) {
      cancel(error);
      throw error;
    }
  };
}
