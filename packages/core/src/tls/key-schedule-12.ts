// The key schedule of TLS 1.2: its PRF (RFC 5246 5), the master secret (8.1; RFC 7627 4), record keys (6.3), Finished (7.4.9).

import { concat } from "../base/bytes.ts";
import { utf8 } from "../base/encoding.ts";
import { hmac, type KdfHash } from "../crypto/kdf.ts";
import type { CipherSuite } from "./protocol.ts";

/** `length` bytes of PRF(secret, label, seed). */
export function prf(
  hash: KdfHash,
  secret: Uint8Array,
  label: string,
  seed: Uint8Array,
  length: number,
): Uint8Array {
  const labelled = concat(utf8(label), seed);
  const blocks: Uint8Array[] = [];
  let a = labelled;
  for (let made = 0; made < length; made += a.length) {
    a = hmac(hash, secret, a);
    blocks.push(hmac(hash, secret, concat(a, labelled)));
  }
  return concat(...blocks).slice(0, length);
}

const MASTER_LENGTH = 48;

/** What a master secret is made of. */
export interface Randoms {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
  /** Hash of the transcript up to ClientKeyExchange, where both sides have extended_master_secret. */
  readonly session: Uint8Array | undefined;
}

export function masterSecret(hash: KdfHash, shared: Uint8Array, randoms: Randoms): Uint8Array {
  const { client, server, session } = randoms;
  return session === undefined
    ? prf(hash, shared, "master secret", concat(client, server), MASTER_LENGTH)
    : prf(hash, shared, "extended master secret", session, MASTER_LENGTH);
}

export interface DirectionKeys {
  readonly key: Uint8Array;
  /** 12 bytes with ChaCha20-Poly1305 (RFC 7905 2), 4 with AES-GCM, whose records carry the rest (RFC 5288 3). */
  readonly iv: Uint8Array;
}

export function recordKeys(
  suite: CipherSuite,
  master: Uint8Array,
  { client, server }: Randoms,
): { client: DirectionKeys; server: DirectionKeys } {
  const ivLength = suite.aead === "chacha20-poly1305" ? 12 : 4;
  const { keyLength: size } = suite;
  const block = prf(suite.hash, master, "key expansion", concat(server, client), 2 * (size + ivLength));
  const part = (at: number, length: number) => block.slice(at, at + length);
  const keys = {
    client: { key: part(0, size), iv: part(2 * size, ivLength) },
    server: { key: part(size, size), iv: part(2 * size + ivLength, ivLength) },
  };
  block.fill(0);
  return keys;
}

/** The verify_data of a Finished message. */
export function verifyData(
  hash: KdfHash,
  master: Uint8Array,
  sender: "client" | "server",
  transcriptHash: Uint8Array,
): Uint8Array {
  return prf(hash, master, `${sender} finished`, transcriptHash, 12);
}
