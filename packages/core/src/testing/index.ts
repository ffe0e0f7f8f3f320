// The entry @allium/core/testing: one compliance suite for each port, run by every implementation, and doubles that pass
// them. A suite is a list of named cases that throw on failure, so that any test runner can take it:
//   for (const { name, run } of storeCases(make)) it(name, run);
// Beside them, scripted relays: the relay's side of a circuit, which keeps the protocol and says whatever a test has it say.

export type { Case } from "./case.ts";
export { cipherCases } from "./cipher-cases.ts";
export { type ClockSetup, clockCases } from "./clock-cases.ts";
export { type DialerSetup, dialerCases } from "./dialer-cases.ts";
export { type DuplexEnds, duplexCases } from "./duplex-cases.ts";
export { duplexPair } from "./duplex-pair.ts";
export { ManualClock } from "./manual-clock.ts";
export { ScriptedRelays } from "./relay/channel.ts";
export {
  type ReceivedRelayCell,
  type RelayBehaviour,
  RelayCircuit,
  type RelayCircuitOptions,
} from "./relay/circuit.ts";
export type { ExitStream } from "./relay/exit-stream.ts";
export { type ScriptedRelay, scriptedRelay } from "./relay/keys.ts";
export { connected } from "./relay/messages.ts";
export { storeCases } from "./store-cases.ts";
