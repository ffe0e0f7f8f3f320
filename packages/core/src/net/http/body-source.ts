// The body of a response, pulled from the stream: by length, chunked (RFC 9112 7.1), or up to the end of the stream.

import { badChunk, badField, headLimit, truncated } from "./errors.ts";
import { readFields } from "./fields.ts";
import type { HttpInput } from "./input.ts";
import type { Framing } from "./response-head.ts";

/** The next piece of a body, or undefined after its end. Not called again after the end or an error. */
export type NextBytes = () => Promise<Uint8Array | undefined>;

const WITHIN = "the response body";

/** The body that `framing` describes, or undefined when there is none. */
export function bodySource(input: HttpInput, framing: Framing): NextBytes | undefined {
  switch (framing.kind) {
    case "none":
      return undefined;
    case "length":
      return sizedBody(input, framing.length);
    case "chunked":
      return chunkedBody(input);
    case "close":
      // An error of the stream is thrown by the read, so that only a clean end ends the body.
      return () => input.some(Number.POSITIVE_INFINITY);
  }
}

function sizedBody(input: HttpInput, length: number): NextBytes {
  let left = length;
  return async () => {
    if (left === 0) return undefined;
    const bytes = await input.some(left);
    if (bytes === undefined) throw truncated(WITHIN);
    left -= bytes.length;
    return bytes;
  };
}

/** 13 hexadecimal digits stay below 2^53. */
const CHUNK_SIZE = /^([0-9A-Fa-f]{1,13})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/;
/** One chunk's size line; extensions mean nothing to us. */
const MAX_CHUNK_LINE = 1024;
/** Extensions of a whole body in bytes, so that a peer cannot send them instead of data for ever. */
const MAX_EXTENSIONS = 65_536;

function chunkedBody(input: HttpInput): NextBytes {
  let left = 0;
  let first = true;
  let extensions = MAX_EXTENSIONS;

  async function nextSize(): Promise<number> {
    if (!first) await input.line({ limit: 0, within: WITHIN, tooLong: badChunk, malformed: badChunk });
    first = false;
    const rule = { limit: MAX_CHUNK_LINE, within: WITHIN, tooLong: headLimit, malformed: badChunk };
    const text = await input.line(rule);
    const size = CHUNK_SIZE.exec(text)?.[1];
    if (size === undefined) throw badChunk("a chunk's size line is malformed");
    extensions -= text.length - size.length;
    if (extensions < 0) throw headLimit("too many chunk extensions");
    return Number.parseInt(size, 16);
  }

  return async () => {
    if (left === 0) left = await nextSize();
    if (left === 0) {
      // Trailers are checked and dropped: fetch has no place for them.
      await readTrailers(input);
      return undefined;
    }
    const bytes = await input.some(left);
    if (bytes === undefined) throw truncated(WITHIN);
    left -= bytes.length;
    return bytes;
  };
}

async function readTrailers(input: HttpInput): Promise<void> {
  const framing = new Set(["content-length", "transfer-encoding"]);
  for (const [name] of await readFields(input, "the trailers")) {
    if (framing.has(name)) throw badField(`${name} in the trailers (RFC 9110 6.5.1)`);
  }
}
