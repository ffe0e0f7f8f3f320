// How far the client is: a fraction and a phase for a progress bar, and what is wrong when something is.

import type { TorError, TorErrorCode, TorErrorKind } from "../base/errors.ts";

/** What a start is at: from reaching the network to the first circuit. */
export type Phase =
  | "bridge"
  | "link"
  | "consensus"
  | "certificates"
  | "microdescriptors"
  | "circuit"
  | "ready";

/** For a progress bar. */
export interface ClientStatus {
  /** 0 to 1. It may go back, for example after a long sleep. */
  readonly fraction: number;
  readonly phase: Phase;
  /** Whether streams can be opened. */
  readonly ready: boolean;
  /** Why the client does not get on. A later call tries again. */
  readonly blocked?: { readonly kind: TorErrorKind; readonly code: TorErrorCode; readonly message: string };
}

/** Where each phase begins; microdescriptors are by far the largest part of a first start. */
const PHASES: readonly (readonly [Phase, start: number])[] = [
  ["bridge", 0],
  ["link", 0.05],
  ["consensus", 0.1],
  ["certificates", 0.35],
  ["microdescriptors", 0.4],
  ["circuit", 0.9],
  ["ready", 1],
];

export class StatusTracker {
  readonly #onChange: (status: ClientStatus) => void;
  #status: ClientStatus = { fraction: 0, phase: "bridge", ready: false };

  constructor(onChange: (status: ClientStatus) => void) {
    this.#onChange = onChange;
  }

  get current(): ClientStatus {
    return this.#status;
  }

  /** A bootstrap begins. */
  restart(): void {
    this.#put("bridge", 0);
  }

  /** Moves on within a bootstrap. `part` is how much of the phase is done, 0 to 1; going back is ignored. */
  advance(phase: Phase, part = 0): void {
    const at = PHASES.findIndex(([name]) => name === phase);
    const start = PHASES[at]?.[1] ?? 0;
    const end = PHASES[at + 1]?.[1] ?? 1;
    // In whole percent: a first start takes in ten thousand microdescriptors, which is not that many events.
    const fraction = Math.floor(100 * (start + (end - start) * Math.min(Math.max(part, 0), 1)) + 1e-6) / 100;
    if (!this.#status.ready && fraction >= this.#status.fraction) this.#put(phase, fraction);
  }

  /** The bootstrap failed where it stands. */
  block({ kind, code, message }: TorError): void {
    const { fraction, phase } = this.#status;
    const stood = phase === "ready" ? { fraction: 0.1, phase: "consensus" as const } : { fraction, phase };
    this.#set({ ...stood, ready: false, blocked: { kind, code, message } });
  }

  #put(phase: Phase, fraction: number): void {
    this.#set({ fraction, phase, ready: phase === "ready" });
  }

  #set(status: ClientStatus): void {
    const { fraction, phase, blocked } = this.#status;
    if (status.phase === phase && status.fraction === fraction && status.blocked?.code === blocked?.code)
      return;
    this.#status = status;
    this.#onChange(status);
  }
}
