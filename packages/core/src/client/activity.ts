// What the client did, counted from what its parts tell of it: sums for stats(), and each figure for who listens to metrics.

import type { TorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { GuardEvent } from "../path/guards/sample.ts";
import type { CircuitInfo, CircuitPurpose, TrafficByPurpose } from "../path/registry.ts";
import type { LinkOutcome } from "./link-outcome.ts";
import type { Meter } from "./metrics.ts";
import { RecentTimes } from "./recent-times.ts";
import { RelayHealthList } from "./relay-health.ts";
import type { StreamInfo } from "./stream-opener.ts";

const PURPOSES: readonly CircuitPurpose[] = ["general", "directory"];

export class Activity {
  readonly relays = new RelayHealthList();
  /** Of circuits of several hops. */
  readonly buildTimes = new RecentTimes();
  readonly links = { completed: 0, failed: { dial: 0, tls: 0, certificates: 0, link: 0 } };
  readonly streams = { open: 0, opened: 0, failed: 0 };
  readonly guards = { confirmations: 0, failures: 0 };
  circuitsTimedOut = 0;
  circuitsRetried = 0;
  directoryFailures = 0;
  rotations = 0;
  readonly #clock: Clock;
  readonly #meter: Meter;
  /** Monotonic times at which what is under way was begun. */
  readonly #building = new Map<number, number>();
  readonly #opening = new Map<number, number>();
  /** Bytes that the meter was told. */
  #told: TrafficByPurpose | undefined;

  constructor(clock: Clock, meter: Meter) {
    this.#clock = clock;
    this.#meter = meter;
  }

  circuit(info: CircuitInfo): void {
    if (info.state === "building") {
      this.#building.set(info.id, this.#clock.monotonic());
      return;
    }
    const begun = this.#building.get(info.id);
    this.#building.delete(info.id);
    if (begun === undefined) return;
    if (info.state === "open") this.#built(info, this.#clock.monotonic() - begun);
    else this.#notBuilt(info);
  }

  link({ ms, failed }: LinkOutcome): void {
    if (failed === undefined) {
      this.links.completed++;
      this.#meter.tell("tor.link.handshakes", 1, { outcome: "completed" });
      this.#meter.tell("tor.link.handshake.duration", ms / 1000, {});
      return;
    }
    const { step, code } = failed;
    this.links.failed[step]++;
    this.#meter.tell("tor.link.handshakes", 1, { outcome: "failed", step, error: code });
  }

  stream({ id, state, error }: StreamInfo): void {
    const begun = this.#opening.get(id);
    if (state === "opening") this.#opening.set(id, this.#clock.monotonic());
    else this.#opening.delete(id);
    if (state === "closed") this.streams.open--;
    if (state === "failed") {
      this.streams.failed++;
      const outcome = error?.kind === "aborted" ? "aborted" : "failed";
      this.#meter.tell("tor.stream.opens", 1, { outcome, ...(error && { error: error.code }) });
    }
    if (state !== "open") return;
    this.streams.open++;
    this.streams.opened++;
    this.#meter.tell("tor.stream.opens", 1, { outcome: "opened" });
    if (begun !== undefined)
      this.#meter.tell("tor.stream.open.duration", (this.#clock.monotonic() - begun) / 1000, {});
  }

  guard({ type }: GuardEvent): void {
    if (type === "confirmed") this.guards.confirmations++;
    if (type === "failed") this.guards.failures++;
    this.#meter.tell("tor.guard.events", 1, { event: type });
  }

  circuitRetried({ code }: TorError): void {
    this.circuitsRetried++;
    this.#meter.tell("tor.circuit.retries", 1, { error: code });
  }

  directoryFailed({ code }: TorError): void {
    this.directoryFailures++;
    this.#meter.tell("tor.directory.failures", 1, { error: code });
  }

  rotated(): void {
    this.rotations++;
    this.#meter.tell("tor.identity.rotations", 1, {});
  }

  /** Tells the meter which bytes there were since it was last told. */
  traffic(now: TrafficByPurpose): void {
    for (const purpose of PURPOSES) {
      const { received, sent } = now[purpose];
      const told = this.#told?.[purpose] ?? { received: 0, sent: 0 };
      if (received > told.received)
        this.#meter.tell("tor.bytes.received", received - told.received, { purpose });
      if (sent > told.sent) this.#meter.tell("tor.bytes.sent", sent - told.sent, { purpose });
    }
    this.#told = now;
  }

  #built({ purpose, hops: [first] }: CircuitInfo, ms: number): void {
    if (first !== undefined) this.relays.built(first);
    if (purpose === "general") this.buildTimes.add(ms);
    this.#meter.tell("tor.circuit.builds", 1, { purpose, outcome: "built" });
    this.#meter.tell("tor.circuit.build.duration", ms / 1000, { purpose });
  }

  #notBuilt({ purpose, hops: [first], error }: CircuitInfo): void {
    const outcome = outcomeOf(error);
    if (outcome === "timed-out") this.circuitsTimedOut++;
    const isFailure = outcome === "failed" || outcome === "timed-out";
    if (isFailure && error !== undefined && first !== undefined)
      this.relays.failed(first, error.code, this.#clock.now());
    this.#meter.tell("tor.circuit.builds", 1, { purpose, outcome, ...(error && { error: error.code }) });
  }
}

/** Why a circuit did not become complete. */
function outcomeOf(error: CircuitInfo["error"]): "failed" | "timed-out" | "not-needed" | "aborted" {
  if (error === undefined || error.kind === "aborted") return "aborted";
  if (error.code === "ALLIUM_E_CIRCUIT_TIMEOUT") return "timed-out";
  return error.code === "ALLIUM_E_BETTER_GUARD" ? "not-needed" : "failed";
}
