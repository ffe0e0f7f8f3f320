// What each relay message does (tor-spec 5.4, 6, 7), once the rules have let it in.

import type { Hop } from "./hop.ts";
import { RelayCommand } from "./relaycell/command.ts";
import type { RelayHeader } from "./relaycell/format.ts";
import { decodeMessage, type End, type Extended2 } from "./relaycell/messages.ts";
import { circuitEndError } from "./relaycell/reasons.ts";
import { type CommandRule, ruleOf } from "./rules.ts";
import type { StreamEntry } from "./stream-entry.ts";
import { circuitViolation } from "./violation.ts";

/** What relay messages do to the circuit as a whole. */
export interface InboundCircuit {
  readonly hops: readonly Hop[];
  /** The answer to our EXTEND2. @throws TorError when none is awaited */
  extended(handshake: Uint8Array): void;
}

/**
 * Acts on one recognised cell, whose data stand in `bytes` for the time of the call only.
 * @throws TorError that closes the circuit
 */
export function receiveRelayCell(
  circuit: InboundCircuit,
  hop: Hop,
  header: RelayHeader,
  bytes: Uint8Array,
): void {
  const { command, streamId } = header;
  const rule = ruleOf(command);
  if (rule === undefined) throw circuitViolation("UNKNOWN_COMMAND", `relay command ${command}`);
  if (rule.stream === undefined && rule.circuit === undefined)
    throw circuitViolation("UNEXPECTED_COMMAND", `${rule.name} from a relay`);
  if (streamId === 0) receiveForCircuit(circuit, hop, rule, header, bytes);
  else receiveOnStream(hop, allowedStream(circuit, hop, rule, header), header, bytes);
}

/** The stream that a message is for. @throws TorError saying why it may not have come */
function allowedStream(
  circuit: InboundCircuit,
  hop: Hop,
  { name, stream: rule }: CommandRule,
  { streamId }: RelayHeader,
): StreamEntry {
  if (rule === undefined) throw circuitViolation("STREAM_ID", `${name} with a stream id`);
  const stream = hop.streams.get(streamId);
  if (stream === undefined) {
    if (circuit.hops.some((other) => other !== hop && other.streams.get(streamId) !== undefined))
      throw circuitViolation("WRONG_HOP", `${name} on another hop's stream`);
    throw circuitViolation("UNKNOWN_STREAM", `${name} on an unknown stream`);
  }
  if ((stream.phase & rule.phases) === 0)
    throw circuitViolation(rule.otherwise, `${name} on a stream where it may not come now`);
  return stream;
}

function receiveOnStream(hop: Hop, stream: StreamEntry, header: RelayHeader, bytes: Uint8Array): void {
  const { command, streamId, dataFrom, dataTo } = header;
  if (command === RelayCommand.DATA) {
    // An empty DATA costs its sender nothing and would pass unseen (TROVE-2024-001).
    if (dataFrom === dataTo) throw circuitViolation("EMPTY_DATA", "a DATA cell without data");
    // The circuit's SENDME first, as C tor has it: an exit that times its cells could tell us by an XOFF that goes before it.
    hop.dataReceived();
    return stream.receiveData(bytes, dataFrom, dataTo);
  }
  const data = bytes.subarray(dataFrom, dataTo);
  switch (command) {
    case RelayCommand.SENDME:
      return stream.receiveSendme();
    case RelayCommand.CONNECTED:
      return stream.receiveConnected(data);
    case RelayCommand.XON:
      return stream.receiveXon(data);
    case RelayCommand.XOFF:
      return stream.receiveXoff(data);
    case RelayCommand.RESOLVED:
      stream.receiveResolved(data);
      return hop.streamOver(streamId);
    case RelayCommand.END:
      stream.receiveEnd((decodeMessage(command, data) as End).reason);
      return hop.streamOver(streamId);
  }
}

function receiveForCircuit(
  circuit: InboundCircuit,
  hop: Hop,
  { name, circuit: rule }: CommandRule,
  { command, dataFrom, dataTo }: RelayHeader,
  bytes: Uint8Array,
): void {
  if (rule === undefined) throw circuitViolation("STREAM_ID", `${name} without a stream id`);
  if (rule.from === "none" || (rule.from === "last" && hop !== circuit.hops.at(-1)))
    throw circuitViolation(rule.otherwise, `${name} from a hop that may not send it`);
  // Copied: what waits for the handshake reads it when the cell is gone.
  const data = bytes.slice(dataFrom, dataTo);
  switch (command) {
    case RelayCommand.SENDME:
      return hop.circuitSendmeReceived(data);
    case RelayCommand.EXTENDED2:
      return circuit.extended((decodeMessage(command, data) as Extended2).handshake);
    case RelayCommand.TRUNCATED:
      // A body without a reason counts as NONE.
      throw circuitEndError("TRUNCATED", data[0] ?? 0);
  }
}
