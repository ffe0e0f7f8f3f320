import { describe, expect, it } from "vitest";
import { TorError, type TorErrorCode, type TorErrorKind } from "../../src/base/errors.ts";
import { failedStep, LinkAttempt, type LinkOutcome, type LinkStep } from "../../src/client/link-outcome.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const CASES: readonly (readonly [LinkStep, TorErrorKind, TorErrorCode])[] = [
  ["dial", "bridge-refused", "ALLIUM_E_BRIDGE_DENIED"],
  ["dial", "bridge-unreachable", "ALLIUM_E_BRIDGE_ENDED"],
  ["dial", "offline", "ALLIUM_E_BRIDGE_RELAY"],
  ["dial", "protocol-violation", "ALLIUM_E_BRIDGE_TEXT"],
  ["dial", "offline", "ALLIUM_E_OFFLINE"],
  ["tls", "protocol-violation", "ALLIUM_E_TLS_ALERT"],
  ["tls", "offline", "ALLIUM_E_TLS_TIMEOUT"],
  ["tls", "protocol-violation", "ALLIUM_E_X509"],
  ["certificates", "protocol-violation", "ALLIUM_E_CERT_LINK_TLS"],
  ["certificates", "relay-identity-mismatch", "ALLIUM_E_LINK_RSA_IDENTITY"],
  ["certificates", "clock-skew", "ALLIUM_E_CLOCK_SKEW"],
  ["link", "protocol-violation", "ALLIUM_E_LINK_NO_COMMON_VERSION"],
  ["link", "offline", "ALLIUM_E_LINK_TIMEOUT"],
  ["link", "circuit-collapse", "ALLIUM_E_LINK_CLOSED"],
];

describe("the step at which a channel failed", () => {
  it.each(CASES)("is %s for %s %s, once it was dialled", (step, kind, code) => {
    expect(failedStep(new TorError(kind, code, ""), true)).toBe(step);
  });

  it.each(CASES)("is the dial before (not %s for %s %s)", (_, kind, code) => {
    expect(failedStep(new TorError(kind, code, ""), false)).toBe("dial");
  });
});

describe("an attempt", () => {
  function bench() {
    const clock = new ManualClock();
    const told: LinkOutcome[] = [];
    return { clock, told, attempt: new LinkAttempt(clock, (outcome) => told.push(outcome)) };
  }

  it("is timed from its beginning", () => {
    const { clock, told, attempt } = bench();
    clock.advance(300);
    attempt.isDialled = true;
    clock.advance(200);
    attempt.completed();
    expect(told).toEqual([{ ms: 500 }]);
  });

  it("that fails says where", () => {
    const { clock, told, attempt } = bench();
    const error = new TorError("protocol-violation", "ALLIUM_E_TLS_ALERT", "");
    clock.advance(7);
    attempt.failed(error);
    attempt.isDialled = true;
    attempt.failed(error);
    expect(told).toEqual([
      { ms: 7, failed: { step: "dial", code: "ALLIUM_E_TLS_ALERT" } },
      { ms: 7, failed: { step: "tls", code: "ALLIUM_E_TLS_ALERT" } },
    ]);
  });
});
