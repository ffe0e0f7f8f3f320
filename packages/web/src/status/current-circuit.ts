// Which circuit the status element draws: the one that carried the last stream, or else the newest that could carry the next.

import type { CircuitInfo, StreamInfo } from "@allium/core";

export class CurrentCircuit {
  #carrier: number | undefined;
  /** Circuits up to this one belong to an identity that was left. */
  #left = 0;

  note({ state, circuitId }: Pick<StreamInfo, "state" | "circuitId">): void {
    if (state === "open" && circuitId !== undefined && circuitId > this.#left) this.#carrier = circuitId;
  }

  /** Nothing new goes over these circuits any more. */
  leave(circuits: readonly CircuitInfo[]): void {
    this.#left = Math.max(this.#left, ...circuits.map(({ id }) => id));
    this.#carrier = undefined;
  }

  pick(circuits: readonly CircuitInfo[]): CircuitInfo | undefined {
    const usable = circuits.filter(
      ({ id, purpose, state }) => id > this.#left && purpose === "general" && state === "open",
    );
    return usable.find(({ id }) => id === this.#carrier) ?? usable.at(-1);
  }
}
