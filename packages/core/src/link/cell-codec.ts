// Cells to bytes and back (tor-spec 3): fixed cells of 514 bytes, variable ones with their length, cut anywhere by the
// TLS records that carry them.

import { Writer } from "../base/bytes.ts";
import { CELL_BODY_LENGTH } from "./api.ts";
import { isVariableLength, maxBodyLength } from "./commands.ts";
import { linkViolation } from "./errors.ts";

/** Circuit id, command and body of a fixed cell on link protocol 4 and above. */
export const FIXED_CELL_LENGTH = 4 + 1 + CELL_BODY_LENGTH;

/** Bytes of a circuit id: 2 until VERSIONS are exchanged, 4 from then on (tor-spec 4.1). */
export type CircuitIdLength = 2 | 4;

/** Circuit id, command and length of a variable cell. */
const MAX_HEADER = 4 + 1 + 2;

const NOTHING = new Uint8Array(0);

/**
 * Cuts a byte stream into cells, and is a cursor over them: `next()` moves on, the fields say which cell it stands on.
 * Nothing is allocated for a cell (a cell and a view of its body cost 0.1 to 0.2 µs each), so what is to outlive the next
 * step must be copied. Holds at most one incomplete cell beside the chunk in hand.
 */
export class CellDecoder {
  circuitIdLength: CircuitIdLength = 2;
  /** Sees each cell's command before the body is waited for, and throws when it may not come now. */
  check: (command: number) => void = () => {};
  circuitId = 0;
  command = 0;
  /** The body is bytes[from, to). */
  bytes: Uint8Array = NOTHING;
  from = 0;
  to = 0;
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** A cell that began in an earlier chunk: its header so far, then its body so far. */
  readonly #header = new Uint8Array(MAX_HEADER);
  #headerLength = 0;
  readonly #fixedBody = new Uint8Array(CELL_BODY_LENGTH);
  #body: Uint8Array | undefined;
  #bodyLength = 0;

  /** Adds what the link delivered next, once `next` has returned false. The bytes belong to the decoder. */
  append(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Moves on to the next whole cell; false when more must be appended first. */
  next(): boolean {
    return this.#whole() || this.#gathered();
  }

  /** The cell's body, copied. */
  body(): Uint8Array {
    return this.bytes.slice(this.from, this.to);
  }

  /** A cell that lies in the chunk from end to end. */
  #whole(): boolean {
    if (this.#headerLength > 0) return false;
    const chunk = this.#chunk;
    const header = this.#headerSize(chunk, this.#at, chunk.length - this.#at);
    const bodyAt = this.#at + header;
    if (bodyAt > chunk.length) return false;
    const command = chunk[this.#at + this.circuitIdLength] as number;
    const end = bodyAt + this.#bodySize(chunk, bodyAt, command);
    if (end > chunk.length) return false;
    this.#stand(chunk, this.#at, command);
    this.bytes = chunk;
    this.from = bodyAt;
    this.to = end;
    this.#at = end;
    return true;
  }

  /** A cell that straddles chunks; false when this one does not end it either, and then all of the chunk is used. */
  #gathered(): boolean {
    const chunk = this.#chunk;
    const header = this.#header;
    while (this.#headerLength < this.#headerSize(header, 0, this.#headerLength)) {
      if (this.#at === chunk.length) return false;
      header[this.#headerLength++] = chunk[this.#at++] as number;
    }
    const command = header[this.circuitIdLength] as number;
    this.#body ??= this.#emptyBody(this.#bodySize(header, this.#headerLength, command));
    const body = this.#body;
    const part = chunk.subarray(this.#at, this.#at + body.length - this.#bodyLength);
    body.set(part, this.#bodyLength);
    this.#bodyLength += part.length;
    this.#at += part.length;
    if (this.#bodyLength < body.length) return false;
    this.#stand(header, 0, command);
    this.bytes = body;
    this.from = 0;
    this.to = body.length;
    this.#headerLength = 0;
    this.#bodyLength = 0;
    this.#body = undefined;
    return true;
  }

  #emptyBody(size: number): Uint8Array {
    return size === CELL_BODY_LENGTH ? this.#fixedBody : new Uint8Array(size);
  }

  #stand(bytes: Uint8Array, at: number, command: number): void {
    let id = 0;
    for (let i = 0; i < this.circuitIdLength; i++) id = id * 256 + (bytes[at + i] as number);
    this.circuitId = id;
    this.command = command;
  }

  /** Bytes of the header at `at`, of which `known` are there; the command decides. */
  #headerSize(bytes: Uint8Array, at: number, known: number): number {
    const short = this.circuitIdLength + 1;
    return known >= short && isVariableLength(bytes[at + short - 1] as number) ? short + 2 : short;
  }

  #bodySize(bytes: Uint8Array, bodyAt: number, command: number): number {
    this.check(command);
    if (!isVariableLength(command)) return CELL_BODY_LENGTH;
    const length = ((bytes[bodyAt - 2] as number) << 8) | (bytes[bodyAt - 1] as number);
    if (length > maxBodyLength(command)) {
      throw linkViolation("CELL_LENGTH", `a cell of command ${command} with ${length} bytes`);
    }
    return length;
  }
}

/** A variable-length cell on circuit 0, as the handshake sends it. */
export function encodeVariableCell(idLength: CircuitIdLength, command: number, body: Uint8Array): Uint8Array {
  return new Writer(body.length + MAX_HEADER).zeros(idLength).u8(command).vector(2, body).finish();
}

/** Writes a fixed cell into `target` at `at`; `body` is at most 509 bytes, the rest becomes zero. */
export function writeFixedCell(
  target: Uint8Array,
  at: number,
  circuitId: number,
  command: number,
  body: Uint8Array,
): void {
  target[at] = circuitId >>> 24;
  target[at + 1] = circuitId >>> 16;
  target[at + 2] = circuitId >>> 8;
  target[at + 3] = circuitId;
  target[at + 4] = command;
  target.set(body, at + 5);
  target.fill(0, at + 5 + body.length, at + FIXED_CELL_LENGTH);
}
