// The hops of a circuit with their layers (tor-spec 5.5): outbound cells are wrapped from the target inwards, inbound ones
// peeled from the first hop outwards until one recognises its own.

import type { ChannelTarget } from "../link/api.ts";
import { circuitViolation } from "./errors.ts";
import { HopWindow } from "./flow/windows.ts";
import type { HopCrypto } from "./relaycrypto/tor1.ts";

export interface Hop {
  readonly target: ChannelTarget;
  readonly crypto: HopCrypto;
  readonly window: HopWindow;
}

export class HopChain {
  readonly #hops: Hop[] = [];

  get length(): number {
    return this.#hops.length;
  }

  get targets(): ChannelTarget[] {
    return this.#hops.map(({ target }) => target);
  }

  add(target: ChannelTarget, crypto: HopCrypto): void {
    this.#hops.push({ target, crypto, window: new HopWindow() });
  }

  at(index: number): Hop {
    return this.#hops[index] as Hop;
  }

  /** Wraps a cell for hop `index`, in place. @returns its SENDME tag */
  wrap(body: Uint8Array, index: number): Uint8Array {
    const tag = this.at(index).crypto.seal(body);
    for (let i = index; i >= 0; i--) this.at(i).crypto.encrypt(body);
    return tag;
  }

  /** Peels an inbound cell in place. @throws TorError when no hop recognises it */
  peel(body: Uint8Array): { readonly index: number; readonly tag: Uint8Array } {
    for (let index = 0; index < this.#hops.length; index++) {
      const { crypto } = this.at(index);
      crypto.decrypt(body);
      const tag = crypto.recognize(body);
      if (tag !== undefined) return { index, tag };
    }
    throw circuitViolation("a relay cell that no hop recognises");
  }

  destroy(): void {
    for (const { crypto } of this.#hops) crypto.destroy();
  }
}
