// The key schedule of TLS 1.3 without PSK (RFC 8446 7.1-7.3): secrets of the handshake and of the application, traffic
// keys, Finished. Not here: resumption, exporters and early data, whose secrets are never derived.

import { Writer } from "../base/bytes.ts";
import { utf8 } from "../base/encoding.ts";
import { sha256, sha384 } from "../crypto/hash.ts";
import { hkdfExpand, hkdfExtract, hmac, type KdfHash } from "../crypto/kdf.ts";
import type { CipherSuite } from "./protocol.ts";

const NO_BYTES = new Uint8Array(0);

export function hashOf(hash: KdfHash, data: Uint8Array): Uint8Array {
  return hash === "sha256" ? sha256(data) : sha384(data);
}

function hashLength(hash: KdfHash): number {
  return hash === "sha256" ? 32 : 48;
}

/** HKDF-Expand-Label (RFC 8446 7.1). */
function expandLabel(
  hash: KdfHash,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const info = new Writer()
    .u16(length)
    .vector(1, utf8(`tls13 ${label}`))
    .vector(1, context);
  return hkdfExpand(hash, secret, info.finish(), length);
}

/** The traffic secrets of both directions (RFC 8446 7.1). */
export interface TrafficSecrets {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
}

/**
 * Runs from (EC)DHE to the application's traffic secrets. Each secret is overwritten as soon as the next one is made;
 * what is returned belongs to the caller.
 */
export class KeySchedule {
  readonly #hash: KdfHash;
  #secret: Uint8Array;

  /** Starts at the Early Secret, whose PSK is all zeros. */
  constructor(hash: KdfHash) {
    const zeros = new Uint8Array(hashLength(hash));
    this.#hash = hash;
    this.#secret = hkdfExtract(hash, zeros, zeros);
  }

  /** Handshake traffic secrets, from the shared secret and the hash of the transcript up to ServerHello. */
  handshake(sharedSecret: Uint8Array, transcriptHash: Uint8Array): TrafficSecrets {
    this.#advance(sharedSecret);
    return this.#traffic("hs", transcriptHash);
  }

  /** Application traffic secrets, from the hash of the transcript up to the server's Finished. */
  application(transcriptHash: Uint8Array): TrafficSecrets {
    this.#advance(new Uint8Array(hashLength(this.#hash)));
    const secrets = this.#traffic("ap", transcriptHash);
    this.destroy();
    return secrets;
  }

  destroy(): void {
    this.#secret.fill(0);
  }

  #advance(input: Uint8Array): void {
    const emptyHash = hashOf(this.#hash, NO_BYTES);
    const salt = expandLabel(this.#hash, this.#secret, "derived", emptyHash, emptyHash.length);
    this.#secret.fill(0);
    this.#secret = hkdfExtract(this.#hash, salt, input);
    salt.fill(0);
  }

  #traffic(stage: "hs" | "ap", transcriptHash: Uint8Array): TrafficSecrets {
    const derive = (side: string) =>
      expandLabel(
        this.#hash,
        this.#secret,
        `${side} ${stage} traffic`,
        transcriptHash,
        transcriptHash.length,
      );
    return { client: derive("c"), server: derive("s") };
  }
}

/** The verify_data of a Finished message (RFC 8446 4.4.4); `secret` is the sender's handshake traffic secret. */
export function finishedMac(hash: KdfHash, secret: Uint8Array, transcriptHash: Uint8Array): Uint8Array {
  const key = expandLabel(hash, secret, "finished", NO_BYTES, hashLength(hash));
  const mac = hmac(hash, key, transcriptHash);
  key.fill(0);
  return mac;
}

/** The traffic secret after a KeyUpdate (RFC 8446 7.2). */
export function nextTrafficSecret(hash: KdfHash, secret: Uint8Array): Uint8Array {
  return expandLabel(hash, secret, "traffic upd", NO_BYTES, secret.length);
}

/** Record key and IV of a traffic secret (RFC 8446 7.3). */
export function trafficKeys(suite: CipherSuite, secret: Uint8Array): { key: Uint8Array; iv: Uint8Array } {
  return {
    key: expandLabel(suite.hash, secret, "key", NO_BYTES, suite.keyLength),
    iv: expandLabel(suite.hash, secret, "iv", NO_BYTES, IV_LENGTH),
  };
}

/** iv_length of all three suites (RFC 8446 5.3; RFC 5116 5.1, RFC 8439 2.8). */
export const IV_LENGTH = 12;
