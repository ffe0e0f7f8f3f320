// Cells to bytes and back (tor-spec 3): fixed cells of 514 bytes, variable ones with their length, cut anywhere by the
// TLS records that carry them.

import { Writer } from "../base/bytes.ts";
import { CELL_BODY_LENGTH } from "./api.ts";
import { type Cell, isVariableLength, maxBodyLength } from "./commands.ts";
import { linkViolation } from "./errors.ts";

/** Circuit id, command and body of a fixed cell on link protocol 4 and above. */
export const FIXED_CELL_LENGTH = 4 + 1 + CELL_BODY_LENGTH;

/** Bytes of a circuit id: 2 until VERSIONS are exchanged, 4 from then on (tor-spec 4.1). */
export type CircuitIdLength = 2 | 4;

/** Circuit id, command and length of a variable cell. */
const MAX_HEADER = 4 + 1 + 2;

/**
 * Bodies are views, as a copy of each costs 0.6 µs and a view 0.1 (Node 24). So that a body which its receiver keeps does
 * not hold a large chunk in memory, chunks of more than one TLS record are first cut to pieces: 0.2 µs a cell in all.
 */
const PIECE = 31 * FIXED_CELL_LENGTH;
/** A TLS record's content of 16 KiB as it is decrypted. */
const RECORD = 17 * 1024;

const NOTHING = new Uint8Array(0);

/** Cuts a byte stream into cells. Holds at most one incomplete cell beside the chunk in hand. */
export class CellDecoder {
  circuitIdLength: CircuitIdLength = 2;
  /** Sees each cell's command before the body is waited for, and throws when it may not come now. */
  check: (command: number) => void = () => {};
  #chunk: Uint8Array = NOTHING;
  #piece: Uint8Array = NOTHING;
  #at = 0;
  /** A cell that began in an earlier piece: its header so far, then its body so far. */
  readonly #header = new Uint8Array(MAX_HEADER);
  #headerLength = 0;
  #body: Uint8Array | undefined;
  #bodyLength = 0;

  /** Adds what the link delivered next, once `next` has returned undefined. The bytes belong to the decoder. */
  append(chunk: Uint8Array): void {
    this.#chunk = chunk;
  }

  /** The next whole cell, or undefined until more is appended. Its body is its receiver's own. */
  next(): Cell | undefined {
    for (;;) {
      const cell = this.#whole() ?? this.#gathered();
      if (cell !== undefined) return cell;
      if (this.#chunk.length === 0) return undefined;
      const isSmall = this.#chunk.buffer.byteLength <= RECORD;
      this.#piece = isSmall ? this.#chunk : this.#chunk.slice(0, PIECE);
      this.#chunk = this.#chunk.subarray(this.#piece.length);
      this.#at = 0;
    }
  }

  /** A cell that lies in the piece from end to end. */
  #whole(): Cell | undefined {
    if (this.#headerLength > 0) return undefined;
    const piece = this.#piece;
    const header = this.#headerSize(piece, this.#at, piece.length - this.#at);
    const bodyAt = this.#at + header;
    if (bodyAt > piece.length) return undefined;
    const command = piece[this.#at + this.circuitIdLength] as number;
    const end = bodyAt + this.#bodySize(piece, bodyAt, command);
    if (end > piece.length) return undefined;
    const circuitId = this.#circuitId(piece, this.#at);
    this.#at = end;
    return { circuitId, command, body: piece.subarray(bodyAt, end) };
  }

  /** A cell that straddles pieces, or undefined when this one does not end it either: then all of the piece is used. */
  #gathered(): Cell | undefined {
    const piece = this.#piece;
    const header = this.#header;
    while (this.#headerLength < this.#headerSize(header, 0, this.#headerLength)) {
      if (this.#at === piece.length) return undefined;
      header[this.#headerLength++] = piece[this.#at++] as number;
    }
    const command = header[this.circuitIdLength] as number;
    this.#body ??= new Uint8Array(this.#bodySize(header, this.#headerLength, command));
    const body = this.#body;
    const part = piece.subarray(this.#at, this.#at + body.length - this.#bodyLength);
    body.set(part, this.#bodyLength);
    this.#bodyLength += part.length;
    this.#at += part.length;
    if (this.#bodyLength < body.length) return undefined;
    this.#headerLength = 0;
    this.#bodyLength = 0;
    this.#body = undefined;
    return { circuitId: this.#circuitId(header, 0), command, body };
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

  #circuitId(bytes: Uint8Array, at: number): number {
    let id = 0;
    for (let i = 0; i < this.circuitIdLength; i++) id = id * 256 + (bytes[at + i] as number);
    return id;
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
