// Cells to bytes and back (tor-spec 3): fixed cells of 514 bytes, variable ones with their length, cut anywhere by the
// TLS records that carry them.

import { concat, Writer } from "../base/bytes.ts";
import { CELL_BODY_LENGTH } from "./api.ts";
import { type Cell, isVariableLength } from "./commands.ts";

/** Circuit id, command and body of a fixed cell on link protocol 4 and above. */
export const FIXED_CELL_LENGTH = 4 + 1 + CELL_BODY_LENGTH;

/** Bytes of a circuit id: 2 until VERSIONS are exchanged, 4 from then on (tor-spec 4.1). */
export type CircuitIdLength = 2 | 4;

/** Cuts a byte stream into cells. Holds at most one incomplete cell beside the chunk in hand. */
export class CellDecoder {
  circuitIdLength: CircuitIdLength = 2;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Adds what the link delivered next. */
  append(chunk: Uint8Array): void {
    const left = this.#bytes.subarray(this.#at);
    // A chunk is copied only to close the gap to a cell that began in the one before: 64 KiB in some microseconds.
    this.#bytes = left.length === 0 ? chunk : concat(left, chunk);
    this.#at = 0;
  }

  /** The next whole cell, or undefined until more is appended. Its body is its receiver's own. */
  next(): Cell | undefined {
    const bytes = this.#bytes;
    const commandAt = this.#at + this.circuitIdLength;
    const command = bytes[commandAt];
    if (command === undefined) return undefined;
    let bodyAt = commandAt + 1;
    let length = CELL_BODY_LENGTH;
    if (isVariableLength(command)) {
      if (bytes.length < bodyAt + 2) return undefined;
      length = ((bytes[bodyAt] as number) << 8) | (bytes[bodyAt + 1] as number);
      bodyAt += 2;
    }
    const end = bodyAt + length;
    if (bytes.length < end) return undefined;
    const circuitId = this.#circuitId();
    this.#at = end;
    // Copied, not viewed: a stalled stream would otherwise pin the whole chunk that its one cell came in.
    return { circuitId, command, body: bytes.slice(bodyAt, end) };
  }

  #circuitId(): number {
    let id = 0;
    for (let i = 0; i < this.circuitIdLength; i++) id = id * 256 + (this.#bytes[this.#at + i] as number);
    return id;
  }
}

/** A variable-length cell on circuit 0, as the handshake sends it. */
export function encodeVariableCell(idLength: CircuitIdLength, command: number, body: Uint8Array): Uint8Array {
  return new Writer(body.length + 8).zeros(idLength).u8(command).vector(2, body).finish();
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
