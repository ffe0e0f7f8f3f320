// The body of one relay cell, where it is laid out, encrypted and decrypted in place (tor-spec 6.1).

import { WordBytes } from "../../base/word-bytes.ts";
import { CELL_BODY_LENGTH } from "../../link/api.ts";

/** 509 bytes that are reused from cell to cell; nobody keeps a view of them beyond the call. */
export class CellBody extends WordBytes {
  /** Just the body's bytes, without what fills its last word. */
  readonly body: Uint8Array;

  constructor() {
    super(CELL_BODY_LENGTH);
    this.body = this.bytes.subarray(0, CELL_BODY_LENGTH);
  }

  /** Takes in the body that begins at `from`. */
  load(bytes: Uint8Array, from: number): void {
    this.bytes.set(bytes.subarray(from, from + CELL_BODY_LENGTH));
  }
}
