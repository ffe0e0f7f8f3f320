// The onion: the layers of all hops, put on outbound cells and peeled off inbound ones (tor-spec 5.5.2.1, 5.5.3).

import type { RelayCrypto } from "./api.ts";
import type { CellBody } from "./cell-body.ts";

export class Onion {
  readonly #layers: RelayCrypto[] = [];

  add(layer: RelayCrypto): void {
    this.#layers.push(layer);
  }

  /** Encrypts a cell to hop `hop` (0 is the first) in place. */
  encrypt(hop: number, cell: CellBody, command: number): void {
    (this.#layers[hop] as RelayCrypto).originate(cell, command);
    for (let i = hop - 1; i >= 0; i--) (this.#layers[i] as RelayCrypto).encrypt(cell, command);
  }

  /** Decrypts a cell in place; returns the hop that it is from, or -1 when no hop recognises it. */
  decrypt(cell: CellBody, command: number): number {
    const layers = this.#layers;
    for (let i = 0; i < layers.length; i++) {
      if ((layers[i] as RelayCrypto).decrypt(cell, command)) return i;
    }
    return -1;
  }

  rest(): void {
    for (const layer of this.#layers) layer.rest();
  }

  destroy(): void {
    for (const layer of this.#layers) layer.destroy();
  }
}
