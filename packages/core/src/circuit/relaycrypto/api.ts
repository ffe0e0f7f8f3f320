// What a hop's relay crypto does, whichever algorithm it is (tor-spec 5.5, 6.1; proposal 359). All of it is synchronous, in
// place, and allocates nothing per cell.

import type { CellBody } from "./cell-body.ts";

/** One hop's layer of the onion, with the state of both directions. `command` is the cell's: RELAY or RELAY_EARLY. */
export interface RelayCrypto {
  /** Authenticates a cell as ours to this hop and adds this hop's layer. */
  originate(cell: CellBody, command: number): void;
  /** Adds this hop's layer to a cell that is meant for a hop further on. */
  encrypt(cell: CellBody, command: number): void;
  /** Takes this hop's layer off a cell; whether it comes from this hop. */
  decrypt(cell: CellBody, command: number): boolean;
  /** The tag that a SENDME for the last originated cell must carry, copied. */
  sentTag(): Uint8Array;
  /** The tag that a SENDME for the last cell from this hop must carry, copied. */
  receivedTag(): Uint8Array;
  /** Lets go of what was made ahead of need; for circuits that nobody uses for now. */
  rest(): void;
  /** Overwrites the keys. */
  destroy(): void;
}
