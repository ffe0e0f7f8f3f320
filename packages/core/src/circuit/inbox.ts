// Data of a stream that have come and that its user has not read yet: copied out of their cells into larger pieces, so that
// a cell leaves no object behind, and counted against the circuit's and the client's memory (tor-spec 8.1).

import type { MemoryAccount } from "../base/memory-quota.ts";

/** The smallest and the largest piece. A read gives one piece. */
const MIN_PIECE = 2 * 1024;
const MAX_PIECE = 64 * 1024;

interface Piece {
  /** As large as was wanted, or larger. */
  readonly bytes: Uint8Array;
  readonly wanted: number;
  length: number;
  /** DATA cells that ended in it. */
  cells: number;
  /** Monotonic time of its first byte. */
  readonly since: number;
}

/**
 * Memory of a piece that was read, for the next one: the engine would clear as much anew, and page by page (a tenth of what a
 * download costs a page). All streams of a circuit share one.
 */
export class SparePiece {
  #bytes: Uint8Array | undefined;

  /** Memory of this size, or up to twice as much, with anything in it. */
  take(size: number): Uint8Array {
    const bytes = this.#bytes;
    if (bytes === undefined || bytes.length < size || bytes.length > 2 * size) return new Uint8Array(size);
    this.#bytes = undefined;
    return bytes;
  }

  /** Whoever gives it uses it no more. */
  keep(bytes: Uint8Array): void {
    this.#bytes = bytes;
  }

  clear(): void {
    this.#bytes = undefined;
  }
}

/** What a read takes. */
export interface Taken {
  readonly bytes: Uint8Array;
  readonly cells: number;
}

export class Inbox {
  readonly #account: MemoryAccount;
  readonly #now: () => number;
  readonly #spare: SparePiece;
  readonly #pieces: Piece[] = [];
  #length = 0;
  /** Follows how much comes at a time: up at once, down by half. */
  #nextSize = MIN_PIECE;

  /** @param now the monotonic clock */
  constructor(account: MemoryAccount, now: () => number, spare: SparePiece) {
    this.#account = account;
    this.#now = now;
    this.#spare = spare;
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

  /** The first piece, in a buffer of its own, or undefined when nothing waits. */
  take(): Taken | undefined {
    const piece = this.#drop();
    if (piece === undefined) return undefined;
    const bytes = piece.bytes.slice(0, piece.length);
    this.#spare.keep(piece.bytes);
    return { bytes, cells: piece.cells };
  }

  clear(): void {
    while (this.#drop() !== undefined);
  }

  #drop(): Piece | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    this.#length -= piece.length;
    this.#account.charge(-piece.bytes.length);
    if (this.#pieces.length === 0) this.#nextSize = Math.max(fitting(piece.length), piece.wanted / 2);
    return piece;
  }

  /** Pieces grow while they are filled faster than they are read, up to what a read is worth. */
  #addPiece(): Piece {
    const wanted = this.#nextSize;
    const piece = { bytes: this.#spare.take(wanted), wanted, length: 0, cells: 0, since: this.#now() };
    this.#pieces.push(piece);
    this.#nextSize = Math.min(2 * wanted, MAX_PIECE);
    return piece;
  }
}

/** The least size of a piece that holds `length` bytes. */
function fitting(length: number): number {
  let size = MIN_PIECE;
  while (size < length && size < MAX_PIECE) size *= 2;
  return size;
}
