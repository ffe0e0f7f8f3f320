// A real Response for what came over the wire, its body a stream that is pulled (Fetch 5.5).

import { abortable, onAbort } from "../base/abort.ts";
import { fetchRejection } from "./fetch-error.ts";
import { contentCoding, decodeBody } from "./http/decode.ts";
import type { HttpBody, HttpResponse } from "./http/exchange.ts";
import { checkedBody, type Integrity } from "./integrity.ts";
import { ownBuffer } from "./own-buffer.ts";
import { announcedLength, type FetchProgress, told } from "./progress.ts";

export interface ResponseOrigin {
  /** The URL that answered. */
  readonly url: URL;
  readonly redirected: boolean;
  /** Aborting it breaks off the body. */
  readonly signal: AbortSignal | undefined;
  readonly integrity?: Integrity | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/** Statuses for which the Response constructor takes no body (Fetch, "null body status"). */
const NULL_BODY_STATUS: ReadonlySet<number> = new Set([204, 205, 304]);

/** @throws TorError when the body's coding is refused, or its bytes are not those of `integrity` */
export async function makeResponse(response: HttpResponse, origin: ResponseOrigin): Promise<Response> {
  const headers = new Headers();
  for (const [name, value] of response.fields) headers.append(name, value);
  const { status, statusText } = response;
  const { signal, onProgress, integrity, redirected } = origin;
  const body = await finalBody(decodedBody(response), integrity, signal);
  let stream = body === undefined ? null : bodyStream(body, signal);
  if (stream && onProgress) stream = told(stream, "download", announcedLength(headers), onProgress);
  const real = new Response(stream, { status, statusText, headers });
  const url = new URL(origin.url);
  url.hash = "";
  return describeResponse(real, { url: url.href, redirected, headers });
}

function decodedBody({ body, fields, status }: HttpResponse): HttpBody | undefined {
  if (body !== undefined && NULL_BODY_STATUS.has(status)) {
    body.cancel();
    return undefined;
  }
  const coding = body && contentCoding(fields);
  return body && coding ? decodeBody(body, coding) : body;
}

async function finalBody(
  body: HttpBody | undefined,
  integrity: Integrity | undefined,
  signal: AbortSignal | undefined,
): Promise<HttpBody | undefined> {
  if (integrity === undefined) return body;
  const checked = await abortable(checkedBody(body, integrity), signal);
  return body && checked;
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
 * The constructor leaves `url` empty, has a type of its own and, in browsers, takes Set-Cookie out of the headers; without a cookie jar the
 * caller must see it.
 */
export function describeResponse(response: Response, description: Description): Response {
  const clone = () =>
    describeResponse(Object.getPrototypeOf(response).clone.call(response), {
      ...description,
      headers: new Headers(description.headers),
    });
  for (const [name, value] of Object.entries({ ...description, type: "basic", clone })) {
    Object.defineProperty(response, name, { value, configurable: true });
  }
  return response;
}
