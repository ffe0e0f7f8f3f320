// The figures that a client tells as they come about, named and measured as OpenTelemetry does (its metrics API; units are
// UCUM's). docs/metrics.md lists them for users. None names a relay, a destination, an address or a key.

import type { TorErrorCode } from "../base/errors.ts";

interface Definition {
  /** A counter's value is to be added, a histogram's recorded. */
  readonly kind: "counter" | "histogram";
  readonly unit: string;
  /** Which attributes there may be; each has few values. */
  readonly attributes: readonly string[];
}

export const METRICS = {
  "tor.circuit.builds": {
    ...{ kind: "counter", unit: "{circuit}" },
    attributes: ["purpose", "outcome", "error"],
  },
  "tor.circuit.build.duration": { kind: "histogram", unit: "s", attributes: ["purpose"] },
  "tor.circuit.retries": { kind: "counter", unit: "{retry}", attributes: ["error"] },
  "tor.link.handshakes": {
    ...{ kind: "counter", unit: "{handshake}" },
    attributes: ["outcome", "step", "error"],
  },
  "tor.link.handshake.duration": { kind: "histogram", unit: "s", attributes: [] },
  "tor.stream.opens": { kind: "counter", unit: "{stream}", attributes: ["outcome", "error"] },
  "tor.stream.open.duration": { kind: "histogram", unit: "s", attributes: [] },
  "tor.guard.events": { kind: "counter", unit: "{event}", attributes: ["event"] },
  "tor.directory.failures": { kind: "counter", unit: "{request}", attributes: ["error"] },
  "tor.identity.rotations": { kind: "counter", unit: "{rotation}", attributes: [] },
  "tor.bytes.received": { kind: "counter", unit: "By", attributes: ["purpose"] },
  "tor.bytes.sent": { kind: "counter", unit: "By", attributes: ["purpose"] },
} as const satisfies Record<string, Definition>;

export type MetricName = keyof typeof METRICS;

/** One figure. The same name always has the same kind and unit. */
export interface Metric {
  readonly name: MetricName;
  readonly kind: Definition["kind"];
  /** Never negative. */
  readonly value: number;
  /** `s`, `By` (bytes), or what is counted in braces. */
  readonly unit: string;
  readonly attributes: Readonly<Record<string, string>>;
}

type Attributes<N extends MetricName> = {
  readonly [K in (typeof METRICS)[N]["attributes"][number]]?: K extends "error" ? TorErrorCode : string;
};

export class Meter {
  readonly #emit: (metric: Metric) => void;
  #isHeard = false;

  constructor(emit: (metric: Metric) => void) {
    this.#emit = emit;
  }

  /** Somebody listens from now on: until then nothing is made. */
  listen(): void {
    this.#isHeard = true;
  }

  tell<N extends MetricName>(name: N, value: number, attributes: Attributes<N>): void {
    if (!this.#isHeard) return;
    const { kind, unit } = METRICS[name];
    this.#emit({ name, kind, unit, value, attributes: attributes as Metric["attributes"] });
  }
}
