// What `fetch` takes as a body, as a stream with its length and type (Fetch 2.2.4, "extract a body").

import { concat } from "../../base/bytes.ts";
import { utf8 } from "../../base/encoding.ts";
import { badBody } from "./errors.ts";
import { formDataBody } from "./form-data.ts";
import type { RequestBody } from "./upload.ts";

/** Largest piece of a body in memory that is written at once. */
const PIECE = 65_536;
/** A Request's body up to this size goes out with its length; a longer one is streamed. */
const REQUEST_BUFFER = 1_048_576;

/** The body of `init.body`. Bytes are copied: the caller may change them while they are sent. */
export function extractBody(init: BodyInit): RequestBody {
  if (typeof init === "string") return bytesBody(utf8(init), "text/plain;charset=UTF-8");
  if (init instanceof URLSearchParams) {
    return bytesBody(utf8(init.toString()), "application/x-www-form-urlencoded;charset=UTF-8");
  }
  if (init instanceof ArrayBuffer) return bytesBody(new Uint8Array(init.slice(0)), undefined);
  if (ArrayBuffer.isView(init)) {
    return bytesBody(new Uint8Array(init.buffer, init.byteOffset, init.byteLength).slice(), undefined);
  }
  if (init instanceof Blob) return blobBody(init);
  if (init instanceof FormData) return formDataBody(init);
  if (init instanceof ReadableStream) return streamBody(init);
  return bytesBody(utf8(String(init)), "text/plain;charset=UTF-8");
}

/** The body of a Request object, which this uses up; undefined when it has none. */
export async function bodyOfRequest(request: Request): Promise<RequestBody | undefined> {
  if (request.bodyUsed) throw badBody("the request's body was already read");
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  const stream: ReadableStream<Uint8Array> | null | undefined = request.body;
  if (stream === null) return undefined;
  // Firefox has no Request.body, and no streaming request bodies either: all of it is in memory.
  if (stream === undefined) return nonEmpty(new Uint8Array(await request.arrayBuffer()));
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  for (let size = 0; size <= REQUEST_BUFFER; ) {
    const { done, value } = await reader.read();
    if (done) return bytesBody(concat(...parts), undefined);
    parts.push(value);
    size += value.length;
  }
  reader.releaseLock();
  return prefixedBody(parts, stream);
}

function nonEmpty(bytes: Uint8Array): RequestBody | undefined {
  return bytes.length === 0 ? undefined : bytesBody(bytes, undefined);
}

function bytesBody(bytes: Uint8Array, contentType: string | undefined): RequestBody {
  const open = () => {
    let at = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (at < bytes.length) controller.enqueue(bytes.subarray(at, at + PIECE));
          else controller.close();
          at += PIECE;
        },
      },
      { highWaterMark: 0 },
    );
  };
  return { length: bytes.length, contentType, replayable: true, open, asBlob: () => new Blob([bytes]) };
}

function blobBody(blob: Blob): RequestBody {
  const contentType = blob.type === "" ? undefined : blob.type;
  return { length: blob.size, contentType, replayable: true, open: () => blob.stream(), asBlob: () => blob };
}

function streamBody(stream: ReadableStream<Uint8Array>): RequestBody {
  try {
    // Only this tells whether somebody has read from it (Fetch, "extract a body").
    new Response(stream);
  } catch (cause) {
    throw badBody("the body stream is locked to a reader, or was read from", cause);
  }
  return { length: undefined, contentType: undefined, replayable: false, open: () => stream };
}

/** The parts already read, then the rest of the stream. */
function prefixedBody(parts: Uint8Array[], stream: ReadableStream<Uint8Array>): RequestBody {
  const reader = stream.getReader();
  const open = () =>
    new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const part = parts.shift();
          const next = part === undefined ? await reader.read() : { done: false as const, value: part };
          if (next.done) controller.close();
          else controller.enqueue(next.value);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  return { length: undefined, contentType: undefined, replayable: false, open };
}
