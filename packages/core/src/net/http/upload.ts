// Sending a request: its head, then its body by length or in chunks (RFC 9112 6 and 7.1), as fast as the stream takes it.

import type { ByteStream } from "../../base/byte-stream.ts";
import { concat } from "../../base/bytes.ts";
import { utf8 } from "../../base/encoding.ts";
import { isTorError, type TorError } from "../../base/errors.ts";
import { badBody } from "./errors.ts";

export interface RequestBody {
  /** Bytes in all, or undefined when only the end will tell. */
  readonly length: number | undefined;
  readonly contentType: string | undefined;
  /** Whether `open` may be called again, for a redirect. */
  readonly replayable: boolean;
  open(): ReadableStream<Uint8Array>;
  /** The same bytes as a Blob, which may go to another thread; present where the length is known. */
  readonly asBlob?: () => Blob;
}

/** A request on its way. */
export interface Upload {
  /** Settles when nothing more will be written, whatever the reason; never rejects. */
  readonly done: Promise<void>;
  /** Whether all of it was sent. */
  readonly isSent: boolean;
  /** Gives up what is left and cancels the body's source. Idempotent. */
  stop(reason: unknown): void;
}

const LAST_CHUNK = utf8("0\r\n\r\n");
const CRLF = utf8("\r\n");

/**
 * Starts to send. When the body's source fails, the stream is closed with that failure, so that the reading side sees
 * it; when the stream fails, the reading side knows by itself, and perhaps has an answer to read first.
 */
export function startUpload(stream: ByteStream, head: Uint8Array, body: RequestBody | undefined): Upload {
  const reader = body?.open().getReader();
  const stop = (reason: unknown) => void reader?.cancel(reason).catch(() => {});
  let isSent = false;
  const done = send(stream, head, reader, body?.length)
    .then(() => {
      isSent = true;
    })
    .catch((error) => {
      stop(error);
      if (error instanceof SourceFailure) stream.close(error.cause);
    });
  return {
    done,
    stop,
    get isSent() {
      return isSent;
    },
  };
}

function send(
  stream: ByteStream,
  head: Uint8Array,
  source: Source | undefined,
  length: number | undefined,
): Promise<void> {
  if (source === undefined) return stream.write(head);
  const next = piecesOf(source, length);
  return length === undefined ? sendChunks(stream, head, next) : sendSized(stream, head, next);
}

/** Tells a failure of the caller's body from one of the stream. */
export class SourceFailure extends Error {}

type Source = ReadableStreamDefaultReader<Uint8Array>;

/** The next piece of a request's body, or undefined after its end. @throws SourceFailure */
export type NextPiece = () => Promise<Uint8Array | undefined>;

/** The pieces of a body that was said to have `length` bytes. */
export function piecesOf(source: Source, length: number | undefined): NextPiece {
  let left = length ?? Number.POSITIVE_INFINITY;
  const failure = (cause: TorError) => new SourceFailure("source", { cause });
  return async () => {
    const next = await source.read().catch((cause) => {
      throw failure(isTorError(cause) ? cause : badBody("the request body's stream failed", cause));
    });
    if (!next.done && !(next.value instanceof Uint8Array)) {
      throw failure(badBody("the request body's stream gave something that is not a Uint8Array"));
    }
    left -= next.value?.length ?? 0;
    if (left < 0 || (next.done && length !== undefined && left > 0)) {
      throw failure(badBody("the request body is not as long as it was said to be"));
    }
    return next.value;
  };
}

async function sendSized(stream: ByteStream, head: Uint8Array, next: NextPiece): Promise<void> {
  // The head waits for the first piece: together they often fit one cell.
  let before: Uint8Array | undefined = head;
  for (;;) {
    const piece = await next();
    if (before !== undefined) await stream.write(piece === undefined ? before : concat(before, piece));
    else if (piece !== undefined) await stream.write(piece);
    before = undefined;
    if (piece === undefined) return;
  }
}

async function sendChunks(stream: ByteStream, head: Uint8Array, next: NextPiece): Promise<void> {
  await stream.write(head);
  for (;;) {
    const piece = await next();
    if (piece === undefined) return stream.write(LAST_CHUNK);
    // A chunk of length 0 would end the body.
    if (piece.length > 0) await stream.write(concat(utf8(`${piece.length.toString(16)}\r\n`), piece, CRLF));
  }
}
