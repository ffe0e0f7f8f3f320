// Keystream from a platform's synchronous cipher: nothing is made ahead of need but the rest of a block.

import type { CtrCipher } from "../base/ports.ts";
import type { KeystreamSource } from "./keystream-source.ts";

/** Bytes asked for at a time: calls are few, and what lies unused on an idle circuit is little (Node: 0.6 ms/MB). */
const FIRST_BLOCK = 2048;
const LARGEST_BLOCK = 32 * 1024;

const NOTHING = new Uint8Array(0);

export class SyncSource implements KeystreamSource {
  #cipher: CtrCipher | undefined;
  #block: Uint8Array = NOTHING;
  #at = 0;
  #nextSize = FIRST_BLOCK;

  constructor(cipher: CtrCipher) {
    this.#cipher = cipher;
  }

  fill(target: Uint8Array, length: number): void {
    for (let done = 0; done < length; ) {
      if (this.#at === this.#block.length) this.#refill();
      const part = Math.min(length - done, this.#block.length - this.#at);
      target.set(this.#block.subarray(this.#at, this.#at + part), done);
      this.#at += part;
      done += part;
    }
  }

  /** Sizes grow with use, so that a circuit of a few cells does not pay for thousands. */
  #refill(): void {
    this.#block.fill(0);
    this.#block = this.#cipher?.next(this.#nextSize) ?? NOTHING;
    this.#at = 0;
    this.#nextSize = Math.min(this.#nextSize * 2, LARGEST_BLOCK);
  }

  /** The rest of the block cannot be had again from the cipher, so it stays. */
  rest(): void {
    this.#nextSize = FIRST_BLOCK;
  }

  destroy(): void {
    this.#block.fill(0);
    this.#block = NOTHING;
    this.#at = 0;
    this.#cipher = undefined;
  }
}
