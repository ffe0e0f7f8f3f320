// What became of an attempt to reach a relay, and at which step it failed (tor-spec 2 and 4).

import type { TorError, TorErrorCode } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";

/**
 * - `dial`: the way to the relay's port: the bridge, or the relay did not answer
 * - `tls`: the TLS handshake
 * - `certificates`: the relay's certificates are not valid, or another relay's
 * - `link`: the rest of the link handshake, or silence after the dial
 */
export type LinkStep = "dial" | "tls" | "certificates" | "link";

export interface LinkOutcome {
  /** Milliseconds since the dial began. */
  readonly ms: number;
  /** Undefined when the relay proved its identity. */
  readonly failed?: { readonly step: LinkStep; readonly code: TorErrorCode };
}

/** Times one attempt and tells what became of it; one that we gave up is not told. */
export class LinkAttempt {
  /** Whether the dialer has given out a pipe to the relay. */
  isDialled = false;
  readonly #clock: Clock;
  readonly #tell: (outcome: LinkOutcome) => void;
  readonly #begun: number;

  constructor(clock: Clock, tell: (outcome: LinkOutcome) => void = () => {}) {
    this.#clock = clock;
    this.#tell = tell;
    this.#begun = clock.monotonic();
  }

  completed(): void {
    this.#tell({ ms: this.#elapsed() });
  }

  failed(error: TorError): void {
    const step = failedStep(error, this.isDialled);
    this.#tell({ ms: this.#elapsed(), failed: { step, code: error.code } });
  }

  #elapsed(): number {
    return this.#clock.monotonic() - this.#begun;
  }
}

/** @param dialled as `LinkAttempt.isDialled` */
export function failedStep({ kind, code }: TorError, dialled: boolean): LinkStep {
  // What a bridge says of itself or of the relay comes after it has taken the connection on.
  if (!dialled || kind === "bridge-unreachable" || kind === "bridge-refused") return "dial";
  if (/^ALLIUM_E_(BRIDGE_|OFFLINE)/.test(code)) return "dial";
  if (/^ALLIUM_E_(TLS_|X509)/.test(code)) return "tls";
  const isIdentity = kind === "relay-identity-mismatch" || kind === "clock-skew";
  return isIdentity || /^ALLIUM_E_CERT_/.test(code) ? "certificates" : "link";
}
