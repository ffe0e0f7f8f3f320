// Relay cell format V0: an 11-byte header, data, padding (tor-spec 6.1; padding: proposal 289 3.4).
// Not here: format V1 (proposal 359), and what the data mean.

import { randomBytes } from "../../base/random.ts";
import { CELL_BODY_LENGTH } from "../../link/api.ts";
import { circuitViolation } from "../violation.ts";

/** A relay cell whose layers are off. `data` shares memory with the cell's body. */
export interface RelayCell {
  readonly command: number;
  readonly streamId: number;
  readonly data: Uint8Array;
}

/** How a hop's relay cells are laid out. */
export interface RelayCellFormat {
  /** The most bytes of data that a cell with a stream id takes. */
  readonly maxData: number;
  /** Lays a cell out in `body` (509 bytes, all of which are written); what relay crypto fills in is left zero. */
  encode(body: Uint8Array, command: number, streamId: number, data: Uint8Array): void;
  /** @throws TorError `protocol-violation` */
  decode(body: Uint8Array): RelayCell;
}

const HEADER = 11;
/** Zero bytes between data and random padding (tor-spec 6.1). */
const PADDING_GAP = 4;

export const relayCellV0: RelayCellFormat = {
  maxData: CELL_BODY_LENGTH - HEADER,

  encode(body, command, streamId, data) {
    const { length } = data;
    if (length > CELL_BODY_LENGTH - HEADER) throw new RangeError(`${length} bytes do not fit a relay cell`);
    body.fill(0, 0, HEADER);
    body[0] = command;
    body[3] = streamId >> 8;
    body[4] = streamId;
    body[9] = length >> 8;
    body[10] = length;
    body.set(data, HEADER);
    const end = HEADER + length;
    body.fill(0, end, end + PADDING_GAP);
    const padding = CELL_BODY_LENGTH - end - PADDING_GAP;
    if (padding > 0) body.set(randomBytes(padding), end + PADDING_GAP);
  },

  decode(body) {
    const length = ((body[9] as number) << 8) | (body[10] as number);
    if (length > CELL_BODY_LENGTH - HEADER) {
      throw circuitViolation("MALFORMED", `a relay cell that claims ${length} bytes of data`);
    }
    return {
      command: body[0] as number,
      streamId: ((body[3] as number) << 8) | (body[4] as number),
      data: body.subarray(HEADER, HEADER + length),
    };
  },
};
