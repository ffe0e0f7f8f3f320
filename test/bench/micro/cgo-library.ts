// CGO's cipher of the library's primitives alone (@noble/ciphers), for the client: what Allium's own is measured against.

import { polyval } from "@noble/ciphers/_polyval.js";
import { ctr, ecb } from "@noble/ciphers/aes.js";

const LENGTH = 509;

/** As `Uiv` does it, for the client. */
export class LibraryUiv {
  readonly #keys = new Uint8Array(64);
  readonly #hashed = new Uint8Array(512);
  readonly #tail = new Uint8Array(16 * 36);
  #next: Uint8Array = new Uint8Array(0);

  setKeys(words: Int32Array): void {
    this.#keys.set(new Uint8Array(words.buffer, words.byteOffset, 64));
  }

  decrypt(view: DataView, at: number, tweak: Int32Array, command: number): void {
    const bytes = new Uint8Array(view.buffer);
    const keys = this.#keys;
    const left = bytes.subarray(at, at + 16);
    const right = bytes.subarray(at + 16, at + LENGTH);
    const counter = polyval(left, keys.subarray(48));
    counter[15] = (counter[15] as number) & 0xc0;
    this.#tail.fill(0);
    this.#tail.set(right);
    const stream = ctr(keys.subarray(32, 48), counter).encrypt(this.#tail);
    right.set(stream.subarray(0, right.length));
    this.#next = stream.subarray(31 * 16);
    this.#hashed.set(new Uint8Array(tweak.buffer, tweak.byteOffset, 16));
    this.#hashed[16] = command;
    this.#hashed.set(right, 17);
    const mask = polyval(this.#hashed, keys.subarray(16, 32));
    for (let i = 0; i < 16; i++) left[i] = (left[i] as number) ^ (mask[i] as number);
    const block = ecb(keys.subarray(0, 16), { disablePadding: true }).decrypt(left);
    for (let i = 0; i < 16; i++) left[i] = (block[i] as number) ^ (mask[i] as number);
  }

  update(nonce: Int32Array): void {
    this.#keys.set(this.#next.subarray(0, 64));
    new Uint8Array(nonce.buffer, nonce.byteOffset, 16).set(this.#next.subarray(64, 80));
  }
}
