// Unpacks a zlib body (dir-spec 6.1 "deflate") with a bound on what comes out, whatever went in.

import { Writer } from "../base/bytes.ts";
import { isTorError, protocolViolation } from "../base/errors.ts";

/** C tor's compression-bomb rule (compress.c): beyond 64 KiB, no more than 25 bytes out for one in. */
const MAX_RATIO = 25;
const RATIO_FREE = 64 * 1024;

/** Bytes fed at a time, so that a bomb is noticed before its whole is handed over. */
const CHUNK = 16_384;

/** @throws TorError `protocol-violation` when the data is not one whole zlib stream, or unpacks to too much. */
export async function inflate(data: Uint8Array, maxLength: number): Promise<Uint8Array> {
  const { readable, writable } = new DecompressionStream("deflate");
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const limit = Math.min(maxLength, Math.max(RATIO_FREE, data.length * MAX_RATIO));
  const fed = feed(writer, data);
  // Its failure shows on the reader too, and is reported from there.
  fed.catch(() => {});
  try {
    const out = new Writer(Math.min(limit, data.length * 4));
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (out.length + next.value.length > limit) {
        throw protocolViolation("ALLIUM_E_DECOMPRESSION_LIMIT", "a compressed document unpacks to too much");
      }
      out.bytes(next.value);
    }
    await fed;
    return out.finish();
  } catch (error) {
    // Frees the inflater; there may be nothing left to cancel.
    reader.cancel(error).catch(() => {});
    writer.abort(error).catch(() => {});
    if (isTorError(error)) throw error;
    throw protocolViolation("ALLIUM_E_BAD_COMPRESSION", "a compressed document is damaged", error);
  }
}

async function feed(writer: WritableStreamDefaultWriter<Uint8Array>, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length; at += CHUNK) await writer.write(data.subarray(at, at + CHUNK));
  await writer.close();
}
