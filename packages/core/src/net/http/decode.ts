// Content codings of a response (RFC 9110 8.4; Fetch 2.2.4, "handle content codings"): gzip and deflate, which are asked for,
// and br and zstd where a server sends them unasked and the platform knows them (Compression standard). They are not asked
// for, since a server could then tell clients on platforms that know them from others.
// Bounds: one coding at the most, and so little of it at a time that a bomb is never more than some MiB ahead of the
// reader. There is no limit on what the reader asks for in all.

import { protocolViolation, TorError } from "../../base/errors.ts";
import type { NextBytes } from "./body-source.ts";
import type { HttpBody } from "./exchange.ts";
import { type Fields, listOf } from "./fields.ts";

interface Coding {
  readonly format: string;
  /**
   * Coded bytes that are in the decoder at once, which may give all that they hold in one go: 1032 bytes for one of gzip,
   * 128 KiB for four of zstd, 16 MiB for some ten of brotli.
   */
  readonly slice: number;
}

const GZIP: Coding = { format: "gzip", slice: 8192 };
const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ["gzip", GZIP],
  ["x-gzip", GZIP],
  ["deflate", { format: "deflate", slice: 8192 }],
  ["br", { format: "brotli", slice: 16 }],
  ["zstd", { format: "zstd", slice: 128 }],
]);

/**
 * The coding to undo, or undefined when the body is to be delivered as it is: none, or one of which nothing is known.
 * @throws TorError `limit` when codings are stacked
 */
export function contentCoding(fields: Fields): Coding | undefined {
  const names = listOf(fields, "content-encoding").filter((name) => name !== "identity");
  if (names.length > 1) throw codingLimit("the response has more than one content coding");
  return CODINGS.get(names[0] ?? "");
}

function codingLimit(message: string, cause?: unknown): TorError {
  return new TorError("limit", "ALLIUM_E_HTTP_CODING_LIMIT", message, { cause });
}

function newDecoder(format: string) {
  try {
    return new DecompressionStream(format);
  } catch (cause) {
    throw codingLimit(`the server sends ${format} unasked, which this platform cannot decode`, cause);
  }
}

/** The decoded body. An empty one stays empty. */
export function decodeBody(body: HttpBody, coding: Coding): HttpBody {
  let decoder: Promise<HttpBody> | undefined;
  return {
    async next() {
      decoder ??= startDecoder(body, coding).catch((error) => {
        body.cancel(error);
        throw error;
      });
      return (await decoder).next();
    },
    cancel(reason) {
      body.cancel(reason);
      decoder?.then((decoded) => decoded.cancel(reason)).catch(() => {});
    },
  };
}

async function startDecoder(body: HttpBody, coding: Coding): Promise<HttpBody> {
  const first = await body.next();
  if (first === undefined) return { next: async () => undefined, cancel: () => {} };
  const { format, slice } = coding;
  // "deflate" means the zlib format, but some servers send the bare one; the first byte tells (RFC 1950 2.2: CM is 8).
  const bare = format === "deflate" && ((first[0] as number) & 15) !== 8;
  const { readable, writable } = newDecoder(bare ? "deflate-raw" : format);
  const reader = readable.getReader();
  // What went wrong on the way in, if anything: more telling than what the decoder makes of it.
  let bodyError: unknown;
  feed(writable.getWriter(), slice, first, () =>
    body.next().catch((error) => {
      bodyError = error;
      throw error;
    }),
  );
  return {
    async next() {
      try {
        const { done, value } = await reader.read();
        return done ? undefined : value;
      } catch (cause) {
        if (bodyError !== undefined) throw bodyError;
        const error = protocolViolation("ALLIUM_E_HTTP_CODING", `the response is not valid ${format}`, cause);
        body.cancel(error);
        throw error;
      }
    },
    cancel: (reason) => void reader.cancel(reason).catch(() => {}),
  };
}

/** Moves the body into the decoder as fast as the decoder's output is read; failures show on the output. */
async function feed(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  slice: number,
  first: Uint8Array,
  next: NextBytes,
) {
  writer.closed.catch(() => {});
  try {
    for (let chunk: Uint8Array | undefined = first; chunk !== undefined; chunk = await next()) {
      for (let at = 0; at < chunk.length; at += slice) await writer.write(chunk.subarray(at, at + slice));
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
  }
}
