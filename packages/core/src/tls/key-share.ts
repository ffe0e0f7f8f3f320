// Our half of an (EC)DHE: key pairs of the groups that are offered (RFC 8446 4.2.8, 7.4; RFC 8422 5.10, 5.11).

import { generateEcdh } from "../crypto/ecdh.ts";
import { generateX25519 } from "../crypto/x25519.ts";
import { TlsError } from "./alert.ts";
import type { GroupName } from "./protocol.ts";

export interface KeyShare {
  readonly group: GroupName;
  readonly publicKey: Uint8Array;
  /** The shared secret as the key schedules take it. @throws TorError for a bad peer key */
  diffieHellman(peer: Uint8Array): Promise<Uint8Array>;
}

export async function generateShare(group: GroupName): Promise<KeyShare> {
  const keys = await (group === "X25519" ? generateX25519() : generateEcdh(group));
  return { group, publicKey: keys.publicKey, diffieHellman: (peer) => keys.diffieHellman(peer) };
}

/** The secret shared with the server's key. @throws TlsError `ALLIUM_E_TLS_KEY_SHARE` */
export async function agreeOn(share: KeyShare, peer: Uint8Array): Promise<Uint8Array> {
  try {
    return await share.diffieHellman(peer);
  } catch (cause) {
    throw new TlsError("illegal_parameter", "ALLIUM_E_TLS_KEY_SHARE", "the server's key share is bad", cause);
  }
}
