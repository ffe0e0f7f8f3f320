// The entry @allium/core/testing: one compliance suite for each port, run by every implementation, and doubles that pass
// them. A suite is a list of named cases that throw on failure, so that any test runner can take it:
//   for (const { name, run } of storeCases(make)) it(name, run);
// Not here: test doubles of relays and networks; those speak Tor, and live with the tests that need them.

export type { Case } from "./case.ts";
export { type ClockSetup, clockCases } from "./clock-cases.ts";
export { type DialerSetup, dialerCases } from "./dialer-cases.ts";
export { type DuplexEnds, duplexCases } from "./duplex-cases.ts";
export { duplexPair } from "./duplex-pair.ts";
export { ManualClock } from "./manual-clock.ts";
export { storeCases } from "./store-cases.ts";
