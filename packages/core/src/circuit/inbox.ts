// Data of a stream that have come and that its user has not read yet: copied out of their cells into larger pieces, so that
// a cell leaves no object behind, and counted against the circuit's and the client's memory (tor-spec 8.1).

import type { MemoryAccount } from "../base/memory-quota.ts";

/** The smallest and the largest piece. A read gives one piece. */
const MIN_PIECE = 2 * 1024;
const MAX_PIECE = 64 * 1024;

interface Piece {
  readonly bytes: Uint8Array;
  length: number;
  /** DATA cells that ended in it. */
  cells: number;
  /** Monotonic time of its first byte. */
  readonly since: number;
}

/** What a read takes. */
export interface Taken {
  readonly bytes: Uint8Array;
  readonly cells: number;
}

export class Inbox {
  readonly #account: MemoryAccount;
  readonly #now: () => number;
  readonly #pieces: Piece[] = [];
  #length = 0;
  #nextSize = MIN_PIECE;

  /** @param now the monotonic clock */
  constructor(account: MemoryAccount, now: () => number) {
    this.#account = account;
    this.#now = now;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** Monotonic time since which the first byte has waited; only while there is one. */
  get oldest(): number {
    return this.#pieces[0]?.since ?? Number.POSITIVE_INFINITY;
  }

  /** Takes in the data of one cell, `bytes[from, to)`. It may lead to the memory being reclaimed, this inbox's too. */
  append(bytes: Uint8Array, from: number, to: number): void {
    let piece = this.#pieces.at(-1);
    if (piece === undefined || piece.length + to - from > piece.bytes.length) piece = this.#addPiece();
    piece.bytes.set(bytes.subarray(from, to), piece.length);
    piece.length += to - from;
    piece.cells++;
    this.#length += to - from;
    if (piece.length === to - from) this.#account.charge(piece.bytes.length);
  }

  /** The first piece, or undefined when nothing waits. */
  take(): Taken | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    this.#length -= piece.length;
    this.#account.charge(-piece.bytes.length);
    if (this.#pieces.length === 0) this.#nextSize = fitting(piece.length);
    return { bytes: piece.bytes.subarray(0, piece.length), cells: piece.cells };
  }

  clear(): void {
    while (this.take() !== undefined);
  }

  /** Pieces grow while they are filled faster than they are read, up to what a read is worth. */
  #addPiece(): Piece {
    const piece = { bytes: new Uint8Array(this.#nextSize), length: 0, cells: 0, since: this.#now() };
    this.#pieces.push(piece);
    this.#nextSize = Math.min(2 * this.#nextSize, MAX_PIECE);
    return piece;
  }
}

/** The size of a piece where the last one held `length` bytes. */
function fitting(length: number): number {
  let size = MIN_PIECE;
  while (size < length && size < MAX_PIECE) size *= 2;
  return size;
}
