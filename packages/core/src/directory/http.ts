// One directory request and its response: HTTP/1.0 GET on a BEGIN_DIR stream (dir-spec 6, appendix B), with deflate.
// Every length is bounded. Concatenated compressed documents, which dir-spec 6.1 lets a server send and none sends, are refused.

import { throwIfAborted, withTimeout } from "../base/abort.ts";
import type { ByteStream } from "../base/byte-stream.ts";
import { concat, Writer } from "../base/bytes.ts";
import { fromLatin1, utf8 } from "../base/encoding.ts";
import { protocolViolation, TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { inflate } from "./inflate.ts";

/** A cache's headers are a few hundred bytes. */
const MAX_HEAD = 8192;

/** Milliseconds without a byte after which a cache is given up. */
const STALL_TIMEOUT = 15_000;

export interface DirectoryRequest {
  /** `/tor/…` */
  readonly path: string;
  /** Asks only for a document newer than this time (milliseconds since the epoch). */
  readonly ifModifiedSince?: number | undefined;
  /** A difference to the consensus with this digest (SHA3-256 of its signed part, hex) will do (dir-spec 4.5). */
  readonly diffFrom?: string | undefined;
  /** Bytes of the document, unpacked, at the most. */
  readonly maxLength: number;
}

export interface DirectoryResponse {
  readonly status: number;
  /** The unpacked document when the status is 200, empty otherwise. */
  readonly body: Uint8Array;
}

function badResponse(message: string): TorError {
  return protocolViolation("ALLIUM_E_BAD_DIRECTORY_RESPONSE", message);
}

/** Sends the request and reads the whole response. The stream is used up, and closed, afterwards. */
export async function directoryGet(
  stream: ByteStream,
  request: DirectoryRequest,
  options: { readonly clock: Clock; readonly signal?: AbortSignal },
): Promise<DirectoryResponse> {
  try {
    await stream.write(encodeRequest(request));
    const reader = new ResponseReader(stream, options);
    const head = parseHead(await reader.head());
    if (head.status !== 200) return { status: head.status, body: new Uint8Array(0) };
    const raw = await reader.body(head.length, request.maxLength);
    const body = head.deflated ? await inflate(raw, request.maxLength) : raw;
    return { status: 200, body };
  } finally {
    stream.close();
  }
}

function encodeRequest({ path, ifModifiedSince, diffFrom }: DirectoryRequest): Uint8Array {
  // No Host, no User-Agent: nothing that tells one client from another.
  const lines = [`GET ${path} HTTP/1.0`, "Accept-Encoding: deflate, identity"];
  if (ifModifiedSince !== undefined)
    lines.push(`If-Modified-Since: ${new Date(ifModifiedSince).toUTCString()}`);
  if (diffFrom !== undefined) lines.push(`X-Or-Diff-From-Consensus: ${diffFrom}`);
  return utf8(`${lines.join("\r\n")}\r\n\r\n`);
}

interface Head {
  readonly status: number;
  readonly length: number | undefined;
  readonly deflated: boolean;
}

function parseHead(text: string): Head {
  const [first, ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.[01] ([0-9]{3})(?: |$)/.exec(first as string)?.[1];
  if (status === undefined) throw badResponse("not an HTTP response");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw badResponse("malformed header line");
    const name = line.slice(0, colon).toLowerCase();
    if (headers.has(name)) throw badResponse("a header appears twice");
    headers.set(name, line.slice(colon + 1).trim());
  }
  if (headers.has("transfer-encoding")) throw badResponse("a transfer coding, which HTTP/1.0 does not have");
  return {
    status: Number(status),
    length: contentLength(headers.get("content-length")),
    deflated: isDeflated(headers.get("content-encoding")),
  };
}

function contentLength(text: string | undefined): number | undefined {
  if (text !== undefined && !/^[0-9]{1,12}$/.test(text)) throw badResponse("malformed Content-Length");
  return text === undefined ? undefined : Number(text);
}

function isDeflated(coding: string | undefined): boolean {
  if (coding === undefined || coding.toLowerCase() === "identity") return false;
  if (coding.toLowerCase() === "deflate") return true;
  throw badResponse("a content coding that was not asked for");
}

class ResponseReader {
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  /** What came after the head with its last bytes. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ByteStream, options: { readonly clock: Clock; readonly signal?: AbortSignal }) {
    this.#stream = stream;
    this.#clock = options.clock;
    this.#signal = options.signal;
  }

  /** The status line and headers, without the empty line that ends them. */
  async head(): Promise<string> {
    for (;;) {
      const chunk = await this.#read();
      if (chunk === undefined) throw badResponse("the response ends inside its headers");
      // The end may lie across two chunks: three bytes of what was searched are searched again.
      const from = Math.max(0, this.#rest.length - 3);
      this.#rest = concat(this.#rest, chunk);
      const found = fromLatin1(this.#rest.subarray(from, MAX_HEAD + 4)).indexOf("\r\n\r\n");
      if (found < 0 && this.#rest.length > MAX_HEAD) throw badResponse("the headers are too long");
      if (found < 0) continue;
      const head = fromLatin1(this.#rest.subarray(0, from + found));
      this.#rest = this.#rest.slice(from + found + 4);
      return head;
    }
  }

  /** The body as it was sent: up to its stated length, or to the end of the stream. */
  async body(length: number | undefined, maxLength: number): Promise<Uint8Array> {
    if (length !== undefined && length > maxLength) throw tooLong(maxLength);
    const limit = length ?? maxLength;
    const body = new Writer(length === undefined ? 16_384 : Math.min(length, 1 << 20));
    let chunk: Uint8Array | undefined = this.#rest;
    while (chunk !== undefined) {
      if (body.length + chunk.length > limit) {
        if (length === undefined) throw tooLong(maxLength);
        throw badResponse("the response is longer than it says");
      }
      body.bytes(chunk);
      // A cache may keep the stream open after the last byte that it announced.
      if (body.length === length) break;
      chunk = await this.#read();
    }
    if (length !== undefined && body.length < length)
      throw badResponse("the response is shorter than it says");
    return body.finish();
  }

  /** The next bytes; a cache that sends none for a while is given up. */
  async #read(): Promise<Uint8Array | undefined> {
    throwIfAborted(this.#signal);
    const error = () =>
      new TorError("circuit-collapse", "ALLIUM_E_DIRECTORY_STALLED", "the directory cache sends nothing");
    const limit = { clock: this.#clock, ms: STALL_TIMEOUT, signal: this.#signal, error };
    return withTimeout(limit, () => this.#stream.read());
  }
}

function tooLong(maxLength: number): TorError {
  return badResponse(`the response is longer than ${maxLength} bytes`);
}
