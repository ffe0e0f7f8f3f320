// Content codings of a response (RFC 9110 8.4; Fetch 2.2.4, "handle content codings"): gzip and deflate.
// Bounds: one coding at the most, and 8 KiB of it at a time, so that a bomb (1032:1 at worst) is never more than about
// 8 MiB ahead of the reader. There is no limit on what the reader asks for in all.

import { protocolViolation, TorError } from "../../base/errors.ts";
import type { NextBytes } from "./body-source.ts";
import type { HttpBody } from "./exchange.ts";
import { type Fields, valuesOf } from "./fields.ts";

/** Coded bytes that are in the decoder at once. */
const SLICE = 8192;

type Coding = "gzip" | "deflate";

/**
 * The coding to undo, or undefined when the body is to be delivered as it is: none, or one that we did not ask for.
 * @throws TorError `limit` when codings are stacked
 */
export function contentCoding(fields: Fields): Coding | undefined {
  const names = valuesOf(fields, "content-encoding")
    .join(",")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
  if (names.length > 1) {
    throw new TorError(
      "limit",
      "ALLIUM_E_HTTP_CODING_LIMIT",
      "the response has more than one content coding",
    );
  }
  const name = names[0] === "x-gzip" ? "gzip" : names[0];
  return name === "gzip" || name === "deflate" ? name : undefined;
}

/** The decoded body. An empty one stays empty. */
export function decodeBody(body: HttpBody, coding: Coding): HttpBody {
  let decoder: Promise<HttpBody> | undefined;
  return {
    async next() {
      decoder ??= startDecoder(body, coding);
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
  // "deflate" means the zlib format, but some servers send the bare one; the first byte tells (RFC 1950 2.2: CM is 8).
  const bare = coding === "deflate" && ((first[0] as number) & 15) !== 8;
  const { readable, writable } = new DecompressionStream(bare ? "deflate-raw" : coding);
  const reader = readable.getReader();
  // What went wrong on the way in, if anything: more telling than what the decoder makes of it.
  let bodyError: unknown;
  feed(writable.getWriter(), first, () =>
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
        const error = protocolViolation("ALLIUM_E_HTTP_CODING", `the response is not valid ${coding}`, cause);
        body.cancel(error);
        throw error;
      }
    },
    cancel: (reason) => void reader.cancel(reason).catch(() => {}),
  };
}

/** Moves the body into the decoder as fast as the decoder's output is read; failures show on the output. */
async function feed(writer: WritableStreamDefaultWriter<Uint8Array>, first: Uint8Array, next: NextBytes) {
  writer.closed.catch(() => {});
  try {
    for (let chunk: Uint8Array | undefined = first; chunk !== undefined; chunk = await next()) {
      for (let at = 0; at < chunk.length; at += SLICE) await writer.write(chunk.subarray(at, at + SLICE));
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
  }
}
