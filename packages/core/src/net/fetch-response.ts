// A real Response for what came over the wire, its body a stream that is pulled (Fetch 5.5).

import { onAbort } from "../base/abort.ts";
import { fetchRejection } from "./fetch-error.ts";
import { contentCoding, decodeBody } from "./http/decode.ts";
import type { HttpBody, HttpResponse } from "./http/exchange.ts";
import { ownBuffer } from "./own-buffer.ts";

export interface ResponseOrigin {
  /** The URL that answered. */
  readonly url: URL;
  readonly redirected: boolean;
  /** Aborting it breaks off the body. */
  readonly signal: AbortSignal | undefined;
}

/** Statuses for which the Response constructor takes no body (Fetch, "null body status"). */
const NULL_BODY_STATUS: ReadonlySet<number> = new Set([204, 205, 304]);

/** @throws TorError when the body's coding is refused */
export function makeResponse(response: HttpResponse, origin: ResponseOrigin): Response {
  const headers = new Headers();
  for (const [name, value] of response.fields) headers.append(name, value);
  const { status, statusText } = response;
  const real = new Response(responseBody(response, origin.signal), { status, statusText, headers });
  const url = new URL(origin.url);
  url.hash = "";
  return describeResponse(real, { url: url.href, redirected: origin.redirected, headers });
}

function responseBody(
  response: HttpResponse,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> | null {
  const { body } = response;
  if (body === undefined) return null;
  if (NULL_BODY_STATUS.has(response.status)) {
    body.cancel();
    return null;
  }
  const coding = contentCoding(response.fields);
  return bodyStream(coding === undefined ? body : decodeBody(body, coding), signal);
}

/** The body as a stream that reads only when it is read (high-water mark 0), so that an unread one stops its sender. */
function bodyStream(body: HttpBody, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let forget = () => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        forget = onAbort(signal, (error) => {
          controller.error(signal?.reason);
          body.cancel(error);
        });
      },
      async pull(controller) {
        try {
          const bytes = await body.next();
          if (bytes !== undefined) return controller.enqueue(ownBuffer(bytes));
          forget();
          controller.close();
        } catch (error) {
          forget();
          throw fetchRejection(error, signal);
        }
      },
      cancel() {
        forget();
        body.cancel();
      },
    },
    { highWaterMark: 0 },
  );
}

/** What the Response constructor cannot be told. */
export interface Description {
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: Headers;
}

/**
 * The constructor leaves `url` empty and, in browsers, takes Set-Cookie out of the headers; without a cookie jar the
 * caller must see it.
 */
export function describeResponse(response: Response, description: Description): Response {
  const clone = () =>
    describeResponse(Object.getPrototypeOf(response).clone.call(response), {
      ...description,
      headers: new Headers(description.headers),
    });
  for (const [name, value] of Object.entries({ ...description, clone })) {
    Object.defineProperty(response, name, { value, configurable: true });
  }
  return response;
}
