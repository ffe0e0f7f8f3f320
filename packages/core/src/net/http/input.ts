// Buffered reading of a byte stream as HTTP/1.1 wants it: lines (RFC 9112 2.2) and runs of bytes.

import type { ByteStream } from "../../base/byte-stream.ts";
import { concat } from "../../base/bytes.ts";
import { fromLatin1 } from "../../base/encoding.ts";
import type { TorError } from "../../base/errors.ts";
import { truncated } from "./errors.ts";

const EMPTY = new Uint8Array(0);
const CR = 0x0d;
const LF = 0x0a;

/** Reads of which one line may be put together; a cell that is full has 498 bytes of it. */
const MAX_PARTS = 4096;

/** What a line is part of: how long it may be, and which errors its faults are. */
export interface LineRule {
  /** Bytes without the CRLF. */
  readonly limit: number;
  /** For messages: "the response head", … */
  readonly within: string;
  tooLong(message: string): TorError;
  malformed(message: string): TorError;
}

export class HttpInput {
  readonly #stream: ByteStream;
  #chunk: Uint8Array = EMPTY;
  #filling: Promise<boolean> | undefined;
  #received = 0;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** Bytes that came from the stream so far. */
  get received(): number {
    return this.#received;
  }

  /** Whether all bytes that came have been taken. */
  get isEmpty(): boolean {
    return this.#chunk.length === 0;
  }

  /** Waits for bytes without taking them, one read for all that wait. @returns false at the end of the stream */
  async fill(): Promise<boolean> {
    if (!this.isEmpty) return true;
    this.#filling ??= this.#read();
    return this.#filling;
  }

  /** The next line without its CRLF, each char one byte. A bare CR or LF is refused: servers and proxies differ on them. */
  async line(rule: LineRule): Promise<string> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      if (!(await this.fill())) throw truncated(rule.within);
      const end = this.#chunk.indexOf(LF);
      const part = this.#take(end < 0 ? this.#chunk.length : end + 1);
      parts.push(part);
      length += part.length;
      if (length > rule.limit + 2 || parts.length > MAX_PARTS)
        throw rule.tooLong(`a line of ${rule.within} is too long`);
      if (end >= 0) break;
    }
    const line = concat(...parts);
    if (length < 2 || line.indexOf(CR) !== length - 2)
      throw rule.malformed(`a line of ${rule.within} does not end in CRLF`);
    return fromLatin1(line.subarray(0, length - 2));
  }

  /** At least one and at most `max` bytes, or undefined at the end of the stream. */
  async some(max: number): Promise<Uint8Array | undefined> {
    if (!(await this.fill())) return undefined;
    return this.#take(Math.min(max, this.#chunk.length));
  }

  async #read(): Promise<boolean> {
    try {
      while (this.#chunk.length === 0) {
        const chunk = await this.#stream.read();
        if (chunk === undefined) return false;
        this.#chunk = chunk;
        this.#received += chunk.length;
      }
      return true;
    } finally {
      this.#filling = undefined;
    }
  }

  #take(length: number): Uint8Array {
    const part = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return part;
  }
}
