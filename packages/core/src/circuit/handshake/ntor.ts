// The ntor handshake, client's side (tor-spec 5.1.4, proposal 216).

import { concat, equalBytes, Reader } from "../../base/bytes.ts";
import { utf8 } from "../../base/encoding.ts";
import { hkdfExpand, hmacSha256 } from "../../crypto/kdf.ts";
import type { X25519KeyPair } from "../../crypto/x25519.ts";
import { handshakeFailed } from "../errors.ts";

/** HTYPE (tor-spec 5.1.2) */
export const NTOR_TYPE = 2;

const PROTOID = "ntor-curve25519-sha256-1";
const LABEL = {
  protocol: utf8(PROTOID),
  key: utf8(`${PROTOID}:key_extract`),
  verify: utf8(`${PROTOID}:verify`),
  mac: utf8(`${PROTOID}:mac`),
  expand: utf8(`${PROTOID}:key_expand`),
  server: utf8("Server"),
};

/** The relay as ntor sees it: RSA identity (20 bytes) and onion key (32 bytes). */
export interface NtorPeer {
  readonly rsaId: Uint8Array;
  readonly ntorOnionKey: Uint8Array;
}

/** ID | KEYID | CLIENT_PK, 84 bytes. */
export function ntorOnionskin(peer: NtorPeer, pair: X25519KeyPair): Uint8Array {
  return concat(peer.rsaId, peer.ntorOnionKey, pair.publicKey);
}

/**
 * Completes the handshake with the relay's SERVER_PK | AUTH.
 * @returns `length` bytes of key material. @throws TorError when the relay does not prove that it has the onion key
 */
export async function completeNtor(
  peer: NtorPeer,
  pair: X25519KeyPair,
  reply: Uint8Array,
  length: number,
): Promise<Uint8Array> {
  const reader = new Reader(reply, (message) => handshakeFailed(`ntor reply: ${message}`));
  const serverKey = reader.take(32);
  const auth = reader.take(32);
  reader.end();
  const { rsaId: id, ntorOnionKey: onionKey } = peer;
  // diffieHellman refuses all-zero results, which both secrets must be held to.
  const [ephemeral, fixed] = await Promise.all([pair.diffieHellman(serverKey), pair.diffieHellman(onionKey)]);
  const secret = concat(ephemeral, fixed, id, onionKey, pair.publicKey, serverKey, LABEL.protocol);
  const verify = hmacSha256(LABEL.verify, secret);
  const authInput = concat(verify, id, onionKey, serverKey, pair.publicKey, LABEL.protocol, LABEL.server);
  if (!equalBytes(hmacSha256(LABEL.mac, authInput), auth)) {
    throw handshakeFailed("the relay does not have the onion key of the directory");
  }
  const seed = hmacSha256(LABEL.key, secret);
  const keys = hkdfExpand("sha256", seed, LABEL.expand, length);
  for (const spent of [ephemeral, fixed, secret, seed]) spent.fill(0);
  return keys;
}
