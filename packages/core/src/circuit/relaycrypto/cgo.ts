// Counter Galois Onion relay crypto (proposal 359 4): in each direction UIV+ under keys that change with every cell that
// begins or ends at the hop, a nonce N that marks such cells, and the last cell's tag T' as tweak, so that a cell that was
// touched anywhere makes itself and all that follow garbage. Relays encrypt and clients decrypt, in both directions: only
// UIV+'s encryption cannot be tampered with to any purpose.

import type { RelayCrypto } from "./api.ts";
import type { CellBody } from "./cell-body.ts";
import { CGO_DIRECTION_KEY_MATERIAL, CgoDirection, type CgoSide } from "./cgo-direction.ts";

/** Bytes of both directions' keys (proposal 359 4). */
export const CGO_KEY_MATERIAL = 2 * CGO_DIRECTION_KEY_MATERIAL;

export class CgoCrypto implements RelayCrypto {
  readonly #outbound: CgoDirection;
  readonly #inbound: CgoDirection;

  /**
   * @param material the keys from the client to the relay, then those back
   * @param side whose crypto it is; what a relay sends and passes towards the client is outbound to it
   */
  constructor(material: Uint8Array, side: CgoSide = "client") {
    if (material.length !== CGO_KEY_MATERIAL) throw new RangeError(`CGO keys of ${material.length} bytes`);
    const forward = new CgoDirection(material.subarray(0, CGO_DIRECTION_KEY_MATERIAL), side);
    const backward = new CgoDirection(material.subarray(CGO_DIRECTION_KEY_MATERIAL), side);
    this.#outbound = side === "client" ? forward : backward;
    this.#inbound = side === "client" ? backward : forward;
  }

  originate(cell: CellBody, command: number): void {
    this.#outbound.originate(cell, command);
  }

  encrypt(cell: CellBody, command: number): void {
    this.#outbound.pass(cell, command);
  }

  decrypt(cell: CellBody, command: number): boolean {
    return this.#inbound.receive(cell, command);
  }

  sentTag(): Uint8Array {
    return this.#outbound.sendmeTag();
  }

  receivedTag(): Uint8Array {
    return this.#inbound.sendmeTag();
  }

  /** Keys change with every cell: nothing is made ahead. */
  rest(): void {}

  destroy(): void {
    this.#outbound.destroy();
    this.#inbound.destroy();
  }
}
