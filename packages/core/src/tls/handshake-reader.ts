// Assembles handshake messages from the contents of records, which may split and join them (RFC 8446 4, 5.1).

import { decodeError, TlsError } from "./alert.ts";
import { HandshakeType } from "./protocol.ts";

/** A whole handshake message. */
export interface HandshakeMessage {
  readonly type: number;
  readonly body: Uint8Array;
  /** The message with its four-byte header, as the transcript takes it. */
  readonly raw: Uint8Array;
}

const HEADER = 4;

/** Longest certificate chain that is read: ten times what large real ones have. The RFC allows 16 MiB. */
const MAX_CERTIFICATE = 2 ** 17;
/** Longest of all other messages; the largest in use are hellos with post-quantum shares, below 2 KiB. */
const MAX_MESSAGE = 2 ** 14;

export class HandshakeReader {
  readonly #header = new Uint8Array(HEADER);
  #headerFilled = 0;
  #raw: Uint8Array | undefined;
  #rawFilled = 0;
  #content: Uint8Array | undefined;

  /** Whether a message has begun and not ended, or a further one stands in the same record. */
  get pending(): boolean {
    return this.#headerFilled > 0 || this.#content !== undefined;
  }

  /** Takes the content of a handshake record. Call `take` until it gives undefined before the next one. */
  push(content: Uint8Array): void {
    if (content.length === 0) {
      throw new TlsError("unexpected_message", "ALLIUM_E_TLS_RECORD", "an empty handshake fragment");
    }
    this.#content = content;
  }

  /** The next whole message, or undefined when more records are needed. */
  take(): HandshakeMessage | undefined {
    if (this.#headerFilled < HEADER) {
      this.#headerFilled += this.#copy(this.#header, this.#headerFilled);
      if (this.#headerFilled < HEADER) return undefined;
      this.#raw = new Uint8Array(HEADER + this.#bodyLength());
      this.#raw.set(this.#header);
      this.#rawFilled = HEADER;
    }
    const raw = this.#raw as Uint8Array;
    this.#rawFilled += this.#copy(raw, this.#rawFilled);
    if (this.#rawFilled < raw.length) return undefined;
    this.#headerFilled = 0;
    this.#raw = undefined;
    return { type: raw[0] as number, body: raw.subarray(HEADER), raw };
  }

  #bodyLength(): number {
    const [type, high, middle, low] = this.#header as unknown as [number, number, number, number];
    const length = (high << 16) | (middle << 8) | low;
    const limit = type === HandshakeType.certificate ? MAX_CERTIFICATE : MAX_MESSAGE;
    if (length > limit) throw decodeError(`a handshake message of type ${type} with ${length} bytes`);
    return length;
  }

  #copy(target: Uint8Array, at: number): number {
    const content = this.#content;
    if (content === undefined) return 0;
    const count = Math.min(target.length - at, content.length);
    target.set(content.subarray(0, count), at);
    this.#content = count < content.length ? content.subarray(count) : undefined;
    return count;
  }
}
