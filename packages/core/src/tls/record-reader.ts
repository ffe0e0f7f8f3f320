// Cuts the bytes of a pipe into TLS records (RFC 8446 5.1, 5.2). Linear, whatever the sizes of the pipe's chunks.
// Not here: decryption, and which record may come when.

import type { ByteStream } from "../base/byte-stream.ts";
import { decodeError, oldVersion, TlsError } from "./alert.ts";
import { ContentType, LEGACY_VERSION, MAX_CONTENT, MAX_EXPANSION, RECORD_HEADER } from "./protocol.ts";

/** A record as it came over the wire. */
export interface RawRecord {
  readonly type: number;
  /** The five bytes before the fragment: the additional data of its encryption (RFC 8446 5.2). */
  readonly header: Uint8Array;
  readonly fragment: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** The length of the fragment that this header announces. */
function checkHeader(header: Uint8Array, first: boolean): number {
  const [type, major, minor, high, low] = header as unknown as [number, number, number, number, number];
  const known = type >= ContentType.changeCipherSpec && type <= ContentType.applicationData;
  if (first && (!known || major !== LEGACY_VERSION >> 8)) {
    throw new TlsError("unexpected_message", "ALLIUM_E_TLS_NOT_TLS", "what answers there does not speak TLS");
  }
  if (!known) {
    throw new TlsError("unexpected_message", "ALLIUM_E_TLS_RECORD", `no TLS record has the type ${type}`);
  }
  checkVersion(type, (major << 8) | minor, first);
  const length = (high << 8) | low;
  const limit = type === ContentType.applicationData ? MAX_CONTENT + MAX_EXPANSION : MAX_CONTENT;
  if (length > limit) {
    throw new TlsError("record_overflow", "ALLIUM_E_TLS_RECORD", `a record of ${length} bytes`);
  }
  return length;
}

/**
 * The RFC has receivers ignore the version, but has every server write 0x0303: held to that, no bit of a record is free.
 * Only a server that knows neither TLS 1.3 nor 1.2 writes another one; on an alert it is borne, which says more.
 */
function checkVersion(type: number, version: number, first: boolean): void {
  if (version === LEGACY_VERSION) return;
  if (type === ContentType.alert && version >> 8 === LEGACY_VERSION >> 8) return;
  if (first && version < LEGACY_VERSION) throw oldVersion("protocol_version", "");
  throw decodeError(`a record of version 0x${version.toString(16).padStart(4, "0")}`);
}

export class RecordReader {
  readonly #pipe: ByteStream;
  #chunk: Uint8Array = NO_BYTES;
  #header = new Uint8Array(RECORD_HEADER);
  #headerFilled = 0;
  #first = true;
  /** The fragment being assembled when it spans chunks. */
  #fragment: Uint8Array | undefined;
  #fragmentFilled = 0;

  constructor(pipe: ByteStream) {
    this.#pipe = pipe;
  }

  /** Reads one chunk from the pipe; false at its end. Call only after `take` gave undefined. */
  async fill(): Promise<boolean> {
    const chunk = await this.#pipe.read();
    if (chunk === undefined) return false;
    this.#chunk = chunk;
    return true;
  }

  /** The next record of the bytes at hand, or undefined when they hold no whole one. */
  take(): RawRecord | undefined {
    if (this.#headerFilled < RECORD_HEADER) {
      this.#headerFilled += this.#copy(this.#header, this.#headerFilled);
      if (this.#headerFilled < RECORD_HEADER) return undefined;
    }
    const length = checkHeader(this.#header, this.#first);
    if (this.#fragment === undefined) {
      if (this.#chunk.length >= length) return this.#finish(this.#cut(length));
      this.#fragment = new Uint8Array(length);
      this.#fragmentFilled = 0;
    }
    this.#fragmentFilled += this.#copy(this.#fragment, this.#fragmentFilled);
    return this.#fragmentFilled === length ? this.#finish(this.#fragment) : undefined;
  }

  #finish(fragment: Uint8Array): RawRecord {
    const header = this.#header;
    this.#header = new Uint8Array(RECORD_HEADER);
    this.#headerFilled = 0;
    this.#first = false;
    this.#fragment = undefined;
    return { type: header[0] as number, header, fragment };
  }

  #copy(target: Uint8Array, at: number): number {
    const bytes = this.#cut(Math.min(target.length - at, this.#chunk.length));
    target.set(bytes, at);
    return bytes.length;
  }

  #cut(length: number): Uint8Array {
    const bytes = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return bytes;
  }
}
