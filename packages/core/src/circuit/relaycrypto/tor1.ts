// tor1 relay crypto: AES-128-CTR and a running SHA-1 for each direction (tor-spec 0.3, 5.2.2, 5.5, 6.1).

import { AesCtrKeystream } from "../../crypto/keystream.ts";
import { RunningSha1 } from "../../crypto/running-sha1.ts";
import type { RelayCrypto } from "./api.ts";

const HASH_LENGTH = 20;
const KEY_LENGTH = 16;

/** Bytes of Df, Db, Kf and Kb together (tor-spec 5.2). */
export const TOR1_KEY_MATERIAL = 2 * HASH_LENGTH + 2 * KEY_LENGTH;

/** Offsets in a V0 relay cell (tor-spec 6.1). */
const RECOGNIZED = 1;
const DIGEST = 5;
const DIGEST_LENGTH = 4;

export class Tor1Crypto implements RelayCrypto {
  readonly #outDigest = new RunningSha1();
  readonly #inDigest = new RunningSha1();
  readonly #outStream: AesCtrKeystream;
  readonly #inStream: AesCtrKeystream;

  /** @param material Df, Db, Kf, Kb in this order; the relay's side swaps the directions */
  constructor(material: Uint8Array) {
    this.#outDigest.update(material, 0, HASH_LENGTH);
    this.#inDigest.update(material, HASH_LENGTH, 2 * HASH_LENGTH);
    const keys = material.subarray(2 * HASH_LENGTH, TOR1_KEY_MATERIAL);
    this.#outStream = new AesCtrKeystream(keys.subarray(0, KEY_LENGTH));
    this.#inStream = new AesCtrKeystream(keys.subarray(KEY_LENGTH));
  }

  originate(body: Uint8Array): Uint8Array {
    body.fill(0, RECOGNIZED, RECOGNIZED + 2);
    body.fill(0, DIGEST, DIGEST + DIGEST_LENGTH);
    this.#outDigest.update(body);
    const tag = this.#outDigest.peek();
    for (let i = 0; i < DIGEST_LENGTH; i++) body[DIGEST + i] = tag[i] as number;
    this.#outStream.xor(body);
    return tag;
  }

  encrypt(body: Uint8Array): void {
    this.#outStream.xor(body);
  }

  decrypt(body: Uint8Array): Uint8Array | undefined {
    this.#inStream.xor(body);
    if (((body[RECOGNIZED] as number) | (body[RECOGNIZED + 1] as number)) !== 0) return undefined;
    return this.#recognize(body);
  }

  destroy(): void {
    this.#outStream.destroy();
    this.#inStream.destroy();
  }

  /** The digest counts a cell only when it is from this hop: a cell of another one leaves the state as it was. */
  #recognize(body: Uint8Array): Uint8Array | undefined {
    const claimed = readDigest(body);
    body.fill(0, DIGEST, DIGEST + DIGEST_LENGTH);
    this.#inDigest.checkpoint();
    this.#inDigest.update(body);
    const tag = this.#inDigest.peek();
    // One comparison of 32 bits: its time says nothing about how many bytes agree.
    if (((claimed ^ readDigest(tag, 0)) | 0) === 0) return tag;
    this.#inDigest.rollback();
    for (let i = 0; i < DIGEST_LENGTH; i++) body[DIGEST + i] = (claimed >>> (24 - 8 * i)) & 255;
    return undefined;
  }
}

function readDigest(bytes: Uint8Array, at = DIGEST): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
