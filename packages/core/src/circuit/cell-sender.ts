// Sends relay cells: layout, onion encryption, and the choice between RELAY and RELAY_EARLY (tor-spec 5.5.2.1, 5.6).

import { randomInt } from "../base/random.ts";
import { CELL_BODY_LENGTH, type CircuitSlot } from "../link/api.ts";
import { COMMAND } from "../link/commands.ts";
import { RelayCommand } from "./relaycell/command.ts";
import type { RelayCellFormat } from "./relaycell/format.ts";
import { Onion } from "./relaycrypto/onion.ts";

/** A relay accepts this many RELAY_EARLY cells of one circuit (tor-spec 5.6). */
const MAX_RELAY_EARLY = 8;

export class CellSender {
  readonly onion = new Onion();
  readonly #slot: CircuitSlot;
  /** The channel copies a cell at once, so one body serves them all. */
  readonly #body = new Uint8Array(CELL_BODY_LENGTH);
  // 7 or 8, as in C tor, so that their number does not tell the circuit's length.
  #earlyLeft = MAX_RELAY_EARLY - randomInt(2);

  constructor(slot: CircuitSlot) {
    this.#slot = slot;
  }

  /** Whether DATA must wait for the channel. */
  get congested(): boolean {
    return this.#slot.congested;
  }

  /** Whether the circuit can grow: EXTEND2 must be in a RELAY_EARLY cell. */
  get canExtend(): boolean {
    return this.#earlyLeft > 0;
  }

  /** Sends a cell to hop `hop` (0 is the first) and returns its SENDME tag. */
  send(
    hop: number,
    format: RelayCellFormat,
    command: number,
    streamId: number,
    data: Uint8Array,
  ): Uint8Array {
    const early = this.#earlyLeft > 0 && (hop > 0 || command === RelayCommand.EXTEND2);
    if (early) this.#earlyLeft--;
    format.encode(this.#body, command, streamId, data);
    const tag = this.onion.encrypt(hop, this.#body);
    this.#slot.send(early ? COMMAND.relayEarly : COMMAND.relay, this.#body);
    return tag;
  }
}
