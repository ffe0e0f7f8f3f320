// Sends relay cells: layout, onion encryption, and the choice between RELAY and RELAY_EARLY (tor-spec 5.5.2.1, 5.6).

import { randomInt } from "../base/random.ts";
import type { CircuitSlot } from "../link/api.ts";
import { COMMAND } from "../link/commands.ts";
import { RelayCommand } from "./relaycell/command.ts";
import type { RelayCellFormat } from "./relaycell/format.ts";
import { CellBody } from "./relaycrypto/cell-body.ts";
import { Onion } from "./relaycrypto/onion.ts";

/** A relay accepts this many RELAY_EARLY cells of one circuit (tor-spec 5.6). */
const MAX_RELAY_EARLY = 8;

export class CellSender {
  readonly onion = new Onion();
  readonly #slot: CircuitSlot;
  /** The channel copies a cell at once, so one body serves them all. */
  readonly #cell = new CellBody();
  // 7 or 8, as in C tor, so that their number does not tell the circuit's length.
  #earlyLeft = MAX_RELAY_EARLY - randomInt(2);
  #cellsLeft: number;
  #sentCells = 0;
  readonly #onLimit: () => void;

  /** @param limit the most cells that the circuit may send @param onLimit called instead of sending one more */
  constructor(slot: CircuitSlot, limit: number, onLimit: () => void) {
    this.#slot = slot;
    this.#cellsLeft = limit;
    this.#onLimit = onLimit;
  }

  /** Whether DATA must wait for the channel. */
  get congested(): boolean {
    return this.#slot.congested;
  }

  /** Cells sent so far, CREATE included. */
  get sentCells(): number {
    return this.#sentCells;
  }

  /** Whether the circuit can grow: EXTEND2 must be in a RELAY_EARLY cell. */
  get canExtend(): boolean {
    return this.#earlyLeft > 0;
  }

  /** Sends the circuit's first cell, which counts for no limit. */
  create(command: number, body: Uint8Array): void {
    this.#sentCells++;
    this.#slot.send(command, body);
  }

  /** Sends a cell to hop `hop` (0 is the first). */
  send(hop: number, format: RelayCellFormat, command: number, streamId: number, data: Uint8Array): void {
    if (this.#cellsLeft-- <= 0) return this.#onLimit();
    const early = this.#earlyLeft > 0 && (hop > 0 || command === RelayCommand.EXTEND2);
    if (early) this.#earlyLeft--;
    const cellCommand = early ? COMMAND.relayEarly : COMMAND.relay;
    format.encode(this.#cell, command, streamId, data);
    this.onion.encrypt(hop, this.#cell, cellCommand);
    this.#sentCells++;
    this.#slot.send(cellCommand, this.#cell.body);
  }
}
