// tor1 relay crypto: AES-128-CTR and a running SHA-1 for each direction (tor-spec 0.3, 5.2.2, 5.5, 6.1).

import type { Ciphers } from "../../base/ports.ts";
import { aesCtrKeystream, type Keystream } from "../../crypto/keystream.ts";
import { digestBytes, RunningSha1 } from "../../crypto/running-sha1.ts";
import { CELL_BODY_LENGTH } from "../../link/api.ts";
import type { RelayCrypto } from "./api.ts";
import type { CellBody } from "./cell-body.ts";

const HASH_LENGTH = 20;
const KEY_LENGTH = 16;

/** Bytes of Df, Db, Kf and Kb together (tor-spec 5.2). */
export const TOR1_KEY_MATERIAL = 2 * HASH_LENGTH + 2 * KEY_LENGTH;

/** Offsets in a V0 relay cell (tor-spec 6.1). */
const RECOGNIZED = 1;
const DIGEST = 5;

export class Tor1Crypto implements RelayCrypto {
  readonly #outDigest = new RunningSha1();
  readonly #inDigest = new RunningSha1();
  readonly #outStream: Keystream;
  readonly #inStream: Keystream;
  readonly #sentTag = new Int32Array(HASH_LENGTH / 4);
  readonly #receivedTag = new Int32Array(HASH_LENGTH / 4);

  /** @param material Df, Db, Kf, Kb in this order; the relay's side swaps the directions */
  constructor(material: Uint8Array, ciphers?: Ciphers) {
    this.#outDigest.update(material, 0, HASH_LENGTH);
    this.#inDigest.update(material, HASH_LENGTH, 2 * HASH_LENGTH);
    const keys = material.subarray(2 * HASH_LENGTH, TOR1_KEY_MATERIAL);
    const keystream = (key: Uint8Array) => aesCtrKeystream(key, CELL_BODY_LENGTH, { ciphers });
    this.#outStream = keystream(keys.subarray(0, KEY_LENGTH));
    this.#inStream = keystream(keys.subarray(KEY_LENGTH));
  }

  originate(cell: CellBody): void {
    const { bytes, view } = cell;
    bytes[RECOGNIZED] = 0;
    bytes[RECOGNIZED + 1] = 0;
    view.setInt32(DIGEST, 0);
    this.#outDigest.update(bytes, 0, CELL_BODY_LENGTH, view);
    this.#sentTag.set(this.#outDigest.peek());
    view.setInt32(DIGEST, this.#sentTag[0] as number);
    this.#outStream.xor(cell, CELL_BODY_LENGTH);
  }

  encrypt(cell: CellBody): void {
    this.#outStream.xor(cell, CELL_BODY_LENGTH);
  }

  decrypt(cell: CellBody): boolean {
    this.#inStream.xor(cell, CELL_BODY_LENGTH);
    const { bytes } = cell;
    return ((bytes[RECOGNIZED] as number) | (bytes[RECOGNIZED + 1] as number)) === 0 && this.#recognize(cell);
  }

  sentTag(): Uint8Array {
    return digestBytes(this.#sentTag);
  }

  receivedTag(): Uint8Array {
    return digestBytes(this.#receivedTag);
  }

  rest(): void {
    this.#outStream.rest();
    this.#inStream.rest();
  }

  destroy(): void {
    this.#outStream.destroy();
    this.#inStream.destroy();
    this.#outDigest.destroy();
    this.#inDigest.destroy();
  }

  /** The digest counts a cell only when it is from this hop: a cell of another one leaves the state as it was. */
  #recognize({ bytes, view }: CellBody): boolean {
    const claimed = view.getInt32(DIGEST);
    view.setInt32(DIGEST, 0);
    this.#inDigest.checkpoint();
    this.#inDigest.update(bytes, 0, CELL_BODY_LENGTH, view);
    const digest = this.#inDigest.peek();
    // One comparison of 32 bits: its time says nothing about how many bytes agree.
    if (claimed === digest[0]) {
      this.#receivedTag.set(digest);
      return true;
    }
    this.#inDigest.rollback();
    view.setInt32(DIGEST, claimed);
    return false;
  }
}
