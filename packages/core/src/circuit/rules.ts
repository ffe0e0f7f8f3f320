// What a relay may send us, and when: one table for all relay messages (proposal 349; tor-spec 5.4, 6, 7). Whatever it does
// not allow closes the circuit: to ignore it would let a relay mark the circuit by it (DropMark).
// Not here: what a message does once it is allowed (inbound.ts), and the rules of flow control, which count.

import { RelayCommand } from "./relaycell/command.ts";
import { Phase } from "./stream-entry.ts";
import type { CircuitViolation } from "./violation.ts";

/** A message on a stream: it must come from the stream's own hop, while the stream is in one of `phases`. */
export interface StreamRule {
  /** Phase bits. */
  readonly phases: number;
  /** What it is called when the stream is in another phase. */
  readonly otherwise: CircuitViolation;
}

/** A message for the circuit itself, with the stream id 0. */
export interface CircuitRule {
  /** `last`: the hop at the end; `any`: each hop, and whether it may is a matter of counting; `none`: never. */
  readonly from: "last" | "any" | "none";
  /** What it is called when it comes from another hop. */
  readonly otherwise: CircuitViolation;
}

/** How one relay command may be used. One that has neither rule is known but never sent to clients. */
export interface CommandRule {
  readonly name: string;
  readonly stream?: StreamRule;
  readonly circuit?: CircuitRule;
}

const { CONNECTING, RESOLVING, OPEN, HALF_CONNECTING, HALF_RESOLVING, HALF_OPEN } = Phase;
const ANY_PHASE = CONNECTING | RESOLVING | OPEN | HALF_CONNECTING | HALF_RESOLVING | HALF_OPEN;
const FLOWING = OPEN | HALF_OPEN;
const FED = FLOWING | CONNECTING | HALF_CONNECTING;

/** By relay command (tor-spec 6.1). Commands that are not here are unknown. */
const RULES: Readonly<Record<number, CommandRule>> = {
  1: { name: "BEGIN" },
  [RelayCommand.DATA]: { name: "DATA", stream: { phases: FLOWING, otherwise: "WRONG_STATE" } },
  [RelayCommand.END]: { name: "END", stream: { phases: ANY_PHASE, otherwise: "WRONG_STATE" } },
  [RelayCommand.CONNECTED]: {
    name: "CONNECTED",
    stream: { phases: CONNECTING | HALF_CONNECTING, otherwise: "SECOND_CONNECTED" },
  },
  // On a stream only where there are windows, on the circuit only where one is owed: flow control knows.
  [RelayCommand.SENDME]: {
    name: "SENDME",
    stream: { phases: FLOWING, otherwise: "SENDME" },
    circuit: { from: "any", otherwise: "WRONG_HOP" },
  },
  6: { name: "EXTEND" },
  7: { name: "EXTENDED" },
  8: { name: "TRUNCATE" },
  // Any hop may have lost its successor; it is the circuit's end.
  [RelayCommand.TRUNCATED]: { name: "TRUNCATED", circuit: { from: "any", otherwise: "WRONG_HOP" } },
  // Relays send DROP only where circuit padding was negotiated, which we do not do.
  [RelayCommand.DROP]: { name: "DROP", circuit: { from: "none", otherwise: "DROP" } },
  [RelayCommand.RESOLVE]: { name: "RESOLVE" },
  [RelayCommand.RESOLVED]: {
    name: "RESOLVED",
    stream: { phases: RESOLVING | HALF_RESOLVING, otherwise: "RESOLVED" },
  },
  [RelayCommand.BEGIN_DIR]: { name: "BEGIN_DIR" },
  [RelayCommand.EXTEND2]: { name: "EXTEND2" },
  [RelayCommand.EXTENDED2]: { name: "EXTENDED2", circuit: { from: "last", otherwise: "WRONG_HOP" } },
  // Only where there is congestion control, and no more often than what we sent explains: flow control knows. What was sent
  // before CONNECTED may have been too much too.
  [RelayCommand.XOFF]: { name: "XOFF", stream: { phases: FED, otherwise: "XOFF" } },
  [RelayCommand.XON]: { name: "XON", stream: { phases: FED, otherwise: "XON" } },
};

/** As an array, which is read for every cell. */
const BY_COMMAND: readonly (CommandRule | undefined)[] = Array.from({ length: 256 }, (_, i) => RULES[i]);

/** The rule of a command, or undefined for one that nobody knows. */
export function ruleOf(command: number): CommandRule | undefined {
  return BY_COMMAND[command];
}
