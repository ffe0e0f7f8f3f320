// The body of a page's request. Firefox gives no stream of it, so it is taken as a Blob, whose bytes are the browser's to
// keep; where there is a stream it is counted, and no more is read than may be sent.

import { TorError } from "@allium/core";

/** @throws TorError `limit` */
export async function bodyOf(request: Request, maxBytes: number): Promise<Blob | undefined> {
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  const blob = request.body ? await collect(request.body, maxBytes) : await request.blob();
  if (blob.size > maxBytes) throw tooLarge(maxBytes);
  return blob.size === 0 ? undefined : blob;
}

async function collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>, maxBytes: number): Promise<Blob> {
  const reader = stream.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks);
    bytes += value.length;
    if (bytes > maxBytes) {
      const error = tooLarge(maxBytes);
      reader.cancel(error).catch(() => {});
      throw error;
    }
    chunks.push(value);
  }
}

function tooLarge(maxBytes: number): TorError {
  return new TorError("limit", "ALLIUM_E_ROUTE_BODY", `the request's body is larger than ${maxBytes} bytes`);
}
