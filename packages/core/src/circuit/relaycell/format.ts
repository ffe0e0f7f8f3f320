// Relay cell format V0: an 11-byte header, data, padding (tor-spec 6.1; padding: proposal 289 3.4).
// Not here: what the data mean; relay crypto fills in "recognized" and the digest.

import { fillRandom } from "../../base/random.ts";
import { CELL_BODY_LENGTH } from "../../link/api.ts";
import type { CellBody } from "../relaycrypto/cell-body.ts";
import { circuitViolation } from "../violation.ts";

/** What a relay cell says, read in place. One is used for all cells of a circuit. */
export interface RelayHeader {
  command: number;
  /** 0 is the circuit itself. */
  streamId: number;
  /** Where its data stand in the cell's bytes. */
  dataFrom: number;
  dataTo: number;
}

/** How a hop's relay cells are laid out. */
export interface RelayCellFormat {
  /** The most bytes of data that a cell with this command takes. */
  maxData(command: number): number;
  /** Lays a cell out; all 509 bytes are written. */
  encode(cell: CellBody, command: number, streamId: number, data: Uint8Array): void;
  /** Reads a cell's header into `header`. @throws TorError `protocol-violation` */
  decode(cell: CellBody, header: RelayHeader): void;
}

const HEADER = 11;
const MAX_DATA = CELL_BODY_LENGTH - HEADER;
/** Zero bytes between data and random padding (tor-spec 6.1). */
const PADDING_GAP = 4;

/** Writes what follows the data that end at `end`: four zero bytes, then random ones. */
export function padCell(bytes: Uint8Array, end: number): void {
  const from = Math.min(end + PADDING_GAP, CELL_BODY_LENGTH);
  bytes.fill(0, end, from);
  if (from < CELL_BODY_LENGTH) fillRandom(bytes, from, CELL_BODY_LENGTH);
}

export const relayCellV0: RelayCellFormat = {
  maxData: () => MAX_DATA,

  encode({ bytes }, command, streamId, data) {
    const { length } = data;
    if (length > MAX_DATA) throw new RangeError(`${length} bytes do not fit a relay cell`);
    bytes.fill(0, 0, HEADER);
    bytes[0] = command;
    bytes[3] = streamId >> 8;
    bytes[4] = streamId;
    bytes[9] = length >> 8;
    bytes[10] = length;
    bytes.set(data, HEADER);
    padCell(bytes, HEADER + length);
  },

  decode({ bytes }, header) {
    const length = ((bytes[9] as number) << 8) | (bytes[10] as number);
    if (length > MAX_DATA)
      throw circuitViolation("MALFORMED", `a relay cell that claims ${length} bytes of data`);
    header.command = bytes[0] as number;
    header.streamId = ((bytes[3] as number) << 8) | (bytes[4] as number);
    header.dataFrom = HEADER;
    header.dataTo = HEADER + length;
  },
};
