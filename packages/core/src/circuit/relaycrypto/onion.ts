// The onion: the layers of all hops, put on outbound cells and peeled off inbound ones (tor-spec 5.5.2.1, 5.5.3).

import type { RelayCrypto } from "./api.ts";

export class Onion {
  readonly #layers: RelayCrypto[] = [];
  #tag: Uint8Array = new Uint8Array(0);

  /** The SENDME tag of the last cell that `decrypt` recognised. */
  get tag(): Uint8Array {
    return this.#tag;
  }

  add(layer: RelayCrypto): void {
    this.#layers.push(layer);
  }

  /** Encrypts a cell to hop `hop` (0 is the first) in place; returns its SENDME tag. */
  encrypt(hop: number, body: Uint8Array): Uint8Array {
    const tag = (this.#layers[hop] as RelayCrypto).originate(body);
    for (let i = hop - 1; i >= 0; i--) (this.#layers[i] as RelayCrypto).encrypt(body);
    return tag;
  }

  /** Decrypts a cell in place; returns the hop that it is from, or undefined when no hop recognises it. */
  decrypt(body: Uint8Array): number | undefined {
    for (let i = 0; i < this.#layers.length; i++) {
      const tag = (this.#layers[i] as RelayCrypto).decrypt(body);
      if (tag === undefined) continue;
      this.#tag = tag;
      return i;
    }
    return undefined;
  }

  destroy(): void {
    for (const layer of this.#layers) layer.destroy();
  }
}
