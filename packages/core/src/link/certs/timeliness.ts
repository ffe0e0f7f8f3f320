// Whether a relay's certificates hold now (tor-spec 4.2), and whether it is our clock that says no.
// Asked after all signatures are checked and NETINFO is in: only then is the relay's clock worth something.

import { TorError } from "../../base/errors.ts";
import { type CertRole, certViolation } from "../errors.ts";

/** When a certificate holds, in milliseconds since the epoch, both ends included. */
export interface CertLifetime {
  readonly role: CertRole;
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * @param now our clock, in milliseconds since the epoch
 * @param clockSkew the relay's clock minus ours, in milliseconds
 * @throws TorError `clock-skew` when all certificates hold by the relay's clock, else `protocol-violation`
 */
export function checkLifetimes(lifetimes: readonly CertLifetime[], now: number, clockSkew: number): void {
  const outOfTime = lifetimes.find((lifetime) => !holds(lifetime, now));
  if (outOfTime === undefined) return;
  if (lifetimes.every((lifetime) => holds(lifetime, now + clockSkew))) {
    const minutes = Math.round(Math.abs(clockSkew) / 60_000);
    const direction = clockSkew > 0 ? "slow" : "fast";
    const message = `the relay's certificates hold by its clock but not by ours, which is ${minutes} minutes ${direction}`;
    throw new TorError("clock-skew", "ALLIUM_E_CLOCK_SKEW", message);
  }
  const { role } = outOfTime;
  const what = now < outOfTime.notBefore ? "is not valid yet" : "has expired";
  throw certViolation(`${role}_EXPIRED`, `the certificate ${role} ${what}`);
}

function holds(lifetime: CertLifetime, time: number): boolean {
  return lifetime.notBefore <= time && time <= lifetime.notAfter;
}
