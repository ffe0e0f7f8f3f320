// Relay cell format V1, that of CGO hops (proposal 359; tor-spec 6.1; padding: proposal 289 3.4): a tag of 16 bytes, command,
// length, the stream id where the command has one, data, padding. Relay crypto fills in the tag.

import { CELL_BODY_LENGTH } from "../../link/api.ts";
import { circuitViolation } from "../violation.ts";
import { RelayCommand } from "./command.ts";
import { padCell, type RelayCellFormat } from "./format.ts";

const COMMAND = 16;
const LENGTH = 17;
const STREAM_ID = 19;
const DATA_WITHOUT_STREAM_ID = 19;
const DATA_WITH_STREAM_ID = 21;

/** The commands of stream messages. */
const OF_STREAMS: readonly number[] = [
  RelayCommand.BEGIN,
  RelayCommand.DATA,
  RelayCommand.END,
  RelayCommand.CONNECTED,
  RelayCommand.RESOLVE,
  RelayCommand.RESOLVED,
  RelayCommand.BEGIN_DIR,
  RelayCommand.XOFF,
  RelayCommand.XON,
];
/** The commands of all others that Tor has, of use to us or not: SENDME to EXTENDED2, conflux, onion services, padding. */
const OF_CIRCUITS: readonly number[] = [
  5, 6, 7, 8, 9, 10, 14, 15, 19, 20, 21, 22, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
];

/** Where the data of a command begin; nowhere for an unknown one, since nobody knows whether a stream id comes first. */
function dataOffset(command: number): number | undefined {
  if (OF_STREAMS.includes(command)) return DATA_WITH_STREAM_ID;
  return OF_CIRCUITS.includes(command) ? DATA_WITHOUT_STREAM_ID : undefined;
}

function knownOffset(command: number): number {
  const offset = dataOffset(command);
  if (offset === undefined) throw new RangeError(`no form is known for relay command ${command}`);
  return offset;
}

export const relayCellV1: RelayCellFormat = {
  maxData: (command) => CELL_BODY_LENGTH - knownOffset(command),

  encode({ bytes }, command, streamId, data) {
    const offset = knownOffset(command);
    const { length } = data;
    const end = offset + length;
    if (end > CELL_BODY_LENGTH) throw new RangeError(`${length} bytes do not fit a relay cell`);
    if ((streamId !== 0) !== (offset === DATA_WITH_STREAM_ID)) {
      throw new RangeError(`relay command ${command} with stream id ${streamId}`);
    }
    bytes.fill(0, 0, COMMAND);
    bytes[COMMAND] = command;
    bytes[LENGTH] = length >> 8;
    bytes[LENGTH + 1] = length;
    // Where there is no stream id, the data or zeros come over it.
    bytes[STREAM_ID] = streamId >> 8;
    bytes[STREAM_ID + 1] = streamId;
    bytes.set(data, offset);
    padCell(bytes, end);
  },

  decode({ bytes }, header) {
    const command = bytes[COMMAND] as number;
    const offset = dataOffset(command);
    if (offset === undefined)
      throw circuitViolation("UNKNOWN_COMMAND", `relay command ${command} in format V1`);
    const length = ((bytes[LENGTH] as number) << 8) | (bytes[LENGTH + 1] as number);
    if (length > CELL_BODY_LENGTH - offset) {
      throw circuitViolation("MALFORMED", `a relay cell that claims ${length} bytes of data`);
    }
    header.command = command;
    header.streamId =
      offset === DATA_WITH_STREAM_ID
        ? ((bytes[STREAM_ID] as number) << 8) | (bytes[STREAM_ID + 1] as number)
        : 0;
    header.dataFrom = offset;
    header.dataTo = offset + length;
  },
};
