// A circuit's place on its channel: which cells may come for it, by how far the two ends have got (tor-spec 5.1, 5.4).

import type { TorError } from "../base/errors.ts";
import type { CircuitHandler, CircuitSlot } from "./api.ts";
import { COMMAND } from "./commands.ts";
import { linkViolation } from "./errors.ts";
import type { Outbound } from "./outbound.ts";

/**
 * - `new`: the relay knows nothing of the circuit yet
 * - `asked`: CREATE was sent
 * - `answered`: CREATED came
 * - `gone`: for good
 */
export type SlotPhase = "new" | "asked" | "answered" | "gone";

export class Slot implements CircuitSlot {
  readonly circuitId: number;
  readonly #handler: CircuitHandler;
  readonly #outbound: Outbound;
  readonly #left: (phase: SlotPhase) => void;
  #phase: SlotPhase = "new";

  /** @param left called once when the circuit leaves by itself, with the phase that it left */
  constructor(
    circuitId: number,
    handler: CircuitHandler,
    outbound: Outbound,
    left: (phase: SlotPhase) => void,
  ) {
    this.circuitId = circuitId;
    this.#handler = handler;
    this.#outbound = outbound;
    this.#left = left;
  }

  get congested(): boolean {
    return this.#outbound.congested;
  }

  send(command: number, body: Uint8Array): void {
    // After DESTROY in either direction the id is not ours to use.
    if (this.#phase === "gone") return;
    if (this.#phase === "new") this.#phase = "asked";
    this.#outbound.send(this.circuitId, command, body);
  }

  destroy(): void {
    const phase = this.#phase;
    if (phase === "gone") return;
    this.#phase = "gone";
    this.#left(phase);
  }

  cell(command: number, bytes: Uint8Array, from: number): void {
    this.requireAsked(command);
    if (command === COMMAND.createdFast || command === COMMAND.created2) this.#phase = "answered";
    this.#handler.cell(command, bytes, from);
  }

  destroyed(reason: number): void {
    this.#phase = "gone";
    this.#handler.destroyed(reason);
  }

  channelClosed(error: TorError): void {
    // Another circuit that was told before may have ended this one.
    if (this.#phase === "gone") return;
    this.#phase = "gone";
    this.#handler.channelClosed(error);
  }

  writable(): void {
    this.#handler.writable();
  }

  /** A relay cannot know an id that we have not used yet. */
  requireAsked(command: number): void {
    if (this.#phase === "new") throw unknownCircuit(command);
  }
}

/** A cell for a circuit that the relay cannot know of, or no longer. */
export function unknownCircuit(command: number): TorError {
  return linkViolation("UNKNOWN_CIRCUIT", `command ${command} for a circuit that is not there`);
}
