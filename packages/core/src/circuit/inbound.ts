// What each relay message from each hop does, and which ones close the circuit (tor-spec 5.4, 6, 7; proposal 349).
// A message that does not belong where it comes is a violation: ignoring it would let a relay mark the circuit.

import type { Hop } from "./hop.ts";
import { RelayCommand } from "./relaycell/command.ts";
import type { RelayCell } from "./relaycell/format.ts";
import { decodeMessage, type End, type Extended2 } from "./relaycell/messages.ts";
import { circuitEndError } from "./relaycell/reasons.ts";
import type { CircuitStream } from "./stream.ts";
import type { HalfClosedStream } from "./stream-map.ts";
import { circuitViolation } from "./violation.ts";

/** What relay messages do to the circuit as a whole. */
export interface InboundCircuit {
  readonly hops: readonly Hop[];
  /** The answer to our EXTEND2. @throws TorError when none is awaited */
  extended(handshake: Uint8Array): void;
}

/** Commands of tor-spec 6.1 that are defined, though none of these may come to us here. */
const HIGHEST_PLAIN_COMMAND = 15;

/** Acts on one recognised cell. @throws TorError that closes the circuit */
export function receiveRelayCell(circuit: InboundCircuit, hop: Hop, cell: RelayCell, tag: Uint8Array): void {
  const { command, streamId, data } = cell;
  switch (command) {
    case RelayCommand.DATA:
      return receiveData(circuit, hop, cell, tag);
    case RelayCommand.SENDME:
      return receiveSendme(circuit, hop, cell);
    case RelayCommand.CONNECTED:
      return receiveConnected(circuit, hop, cell);
    case RelayCommand.END:
      return receiveEnd(circuit, hop, cell);
    case RelayCommand.RESOLVED:
      return receiveResolved(circuit, hop, cell);
    case RelayCommand.EXTENDED2: {
      requireNoStream(cell);
      if (hop !== circuit.hops.at(-1)) throw circuitViolation("WRONG_HOP", "EXTENDED2 from another hop");
      return circuit.extended((decodeMessage(command, data) as Extended2).handshake);
    }
    case RelayCommand.TRUNCATED:
      requireNoStream(cell);
      // A body without a reason counts as NONE.
      throw circuitEndError("TRUNCATED", data[0] ?? 0);
    case RelayCommand.DROP:
      // Relays send DROP only where circuit padding was negotiated, which we do not do.
      throw circuitViolation("DROP", "DROP from a hop with which no padding was negotiated");
    default:
      if (command >= 1 && command <= HIGHEST_PLAIN_COMMAND) {
        throw circuitViolation("UNEXPECTED_COMMAND", `relay command ${command} on stream ${streamId}`);
      }
      throw circuitViolation("UNKNOWN_COMMAND", `relay command ${command}`);
  }
}

function receiveData(circuit: InboundCircuit, hop: Hop, cell: RelayCell, tag: Uint8Array): void {
  const { data, streamId } = cell;
  // An empty DATA costs its sender nothing and would pass unseen (TROVE-2024-001).
  if (data.length === 0) throw circuitViolation("EMPTY_DATA", "a DATA cell without data");
  const stream = hop.streams.open(streamId);
  if (stream !== undefined) stream.receiveData(data);
  else halfClosedStream(circuit, hop, cell).receiveData();
  hop.dataReceived(tag);
}

function receiveSendme(circuit: InboundCircuit, hop: Hop, cell: RelayCell): void {
  if (cell.streamId === 0) return hop.circuitSendmeReceived(cell.data);
  const stream = hop.streams.open(cell.streamId);
  if (stream !== undefined) hop.streamSendmeReceived(stream);
  else halfClosedStream(circuit, hop, cell).receiveSendme();
}

function receiveConnected(circuit: InboundCircuit, hop: Hop, cell: RelayCell): void {
  const stream: CircuitStream | HalfClosedStream =
    hop.streams.open(cell.streamId) ?? halfClosedStream(circuit, hop, cell);
  stream.receiveConnected(cell.data);
}

function receiveEnd(circuit: InboundCircuit, hop: Hop, cell: RelayCell): void {
  const stream = hop.streams.open(cell.streamId);
  if (stream !== undefined) {
    const { reason } = decodeMessage(RelayCommand.END, cell.data) as End;
    return hop.streamEnded(stream, reason);
  }
  halfClosedStream(circuit, hop, cell);
  hop.streams.remove(cell.streamId);
}

function receiveResolved(circuit: InboundCircuit, hop: Hop, cell: RelayCell): void {
  const stream = hop.streams.open(cell.streamId);
  if (stream !== undefined) return hop.streamResolved(stream, cell.data);
  halfClosedStream(circuit, hop, cell).receiveResolved();
  hop.streams.remove(cell.streamId);
}

/** The half-closed stream of this cell. @throws TorError saying why there is none */
function halfClosedStream(circuit: InboundCircuit, hop: Hop, cell: RelayCell): HalfClosedStream {
  if (cell.streamId === 0) {
    throw circuitViolation("STREAM_ID", `relay command ${cell.command} without a stream id`);
  }
  const stream = hop.streams.halfClosed(cell.streamId);
  if (stream !== undefined) return stream;
  if (circuit.hops.some((other) => other !== hop && other.streams.has(cell.streamId))) {
    throw circuitViolation("WRONG_HOP", `relay command ${cell.command} on another hop's stream`);
  }
  throw circuitViolation("UNKNOWN_STREAM", `relay command ${cell.command} on an unknown stream`);
}

function requireNoStream({ command, streamId }: RelayCell): void {
  if (streamId !== 0) throw circuitViolation("STREAM_ID", `relay command ${command} with a stream id`);
}
