// tor1 relay crypto of one hop, client's side (tor-spec 5.5, 6.1): AES-128-CTR each way and a running SHA-1 each way.

import { equalBytes } from "../../base/bytes.ts";
import { RunningSha1 } from "../../crypto/hash.ts";
import { AesCtrKeystream } from "../../crypto/keystream.ts";

/** Df 20, Db 20, Kf 16, Kb 16 (tor-spec 5.2). */
export const TOR1_KEY_LENGTH = 72;

const DIGEST_AT = 5;
const DIGEST_LENGTH = 4;

/** What a circuit needs of a hop's crypto. Bodies are 509 bytes and changed in place. */
export interface HopCrypto {
  /** Puts the hop's digest into a cell made for it. @returns the tag that a SENDME for the cell will carry */
  seal(body: Uint8Array): Uint8Array;
  /** Adds the hop's layer to an outbound cell. */
  encrypt(body: Uint8Array): void;
  /** Takes the hop's layer off an inbound cell. */
  decrypt(body: Uint8Array): void;
  /** The cell's tag when it is this hop's, otherwise undefined and nothing is changed. */
  recognize(body: Uint8Array): Uint8Array | undefined;
  /** Overwrites the keys. */
  destroy(): void;
}

export class Tor1 implements HopCrypto {
  readonly #forwardDigest = new RunningSha1();
  readonly #backwardDigest = new RunningSha1();
  readonly #forward: AesCtrKeystream;
  readonly #backward: AesCtrKeystream;
  readonly #digestField = new Uint8Array(DIGEST_LENGTH);

  /** @param keys TOR1_KEY_LENGTH bytes, overwritten here */
  constructor(keys: Uint8Array) {
    this.#forwardDigest.update(keys, 0, 20);
    this.#backwardDigest.update(keys, 20, 40);
    this.#forward = new AesCtrKeystream(keys.subarray(40, 56));
    this.#backward = new AesCtrKeystream(keys.subarray(56, 72));
    keys.fill(0);
  }

  seal(body: Uint8Array): Uint8Array {
    this.#forwardDigest.update(body);
    const digest = this.#forwardDigest.peek();
    body.set(digest.subarray(0, DIGEST_LENGTH), DIGEST_AT);
    return digest;
  }

  encrypt(body: Uint8Array): void {
    this.#forward.xor(body);
  }

  decrypt(body: Uint8Array): void {
    this.#backward.xor(body);
  }

  recognize(body: Uint8Array): Uint8Array | undefined {
    if (body[1] !== 0 || body[2] !== 0) return undefined;
    const field = this.#digestField;
    field.set(body.subarray(DIGEST_AT, DIGEST_AT + DIGEST_LENGTH));
    body.fill(0, DIGEST_AT, DIGEST_AT + DIGEST_LENGTH);
    this.#backwardDigest.checkpoint();
    this.#backwardDigest.update(body);
    const digest = this.#backwardDigest.peek();
    if (equalBytes(digest.subarray(0, DIGEST_LENGTH), field)) return digest;
    // Another hop's cell whose recognized field is zero by chance: once in 65,536.
    this.#backwardDigest.rollback();
    body.set(field, DIGEST_AT);
    return undefined;
  }

  destroy(): void {
    this.#forward.destroy();
    this.#backward.destroy();
  }
}
