// The client's side of the ntor handshake (tor-spec 5.1.4, KDF-RFC5869 of 5.2.2).
// Not here: ntor-v3, which carries extensions (ntor-v3.ts).

import { concat, equalBytes } from "../../base/bytes.ts";
import { utf8 } from "../../base/encoding.ts";
import { hkdfSha256, hmacSha256 } from "../../crypto/kdf.ts";
import { generateX25519, type X25519KeyPair } from "../../crypto/x25519.ts";
import { circuitViolation } from "../violation.ts";
import type { ClientHandshake } from "./api.ts";

/** Handshake type in CREATE2 and EXTEND2 (tor-spec 5.1). */
export const NTOR_TYPE = 2;

/** PROTOID and the tags made of it (tor-spec 5.1.4). */
const PROTOID = utf8("ntor-curve25519-sha256-1");
const T_MAC = concat(PROTOID, utf8(":mac"));
const T_KEY = concat(PROTOID, utf8(":key_extract"));
const T_VERIFY = concat(PROTOID, utf8(":verify"));
const M_EXPAND = concat(PROTOID, utf8(":key_expand"));
const SERVER = utf8("Server");

const G_LENGTH = 32;
const H_LENGTH = 32;

/** The relay as ntor knows it. */
export interface NtorTarget {
  /** ID: SHA-1 of the RSA identity key, 20 bytes. */
  readonly rsaId: Uint8Array;
  /** B: the onion key, 32 bytes. */
  readonly ntorOnionKey: Uint8Array;
}

/** What both sides compute from the two EXP results. */
export function ntorSecrets(
  exponents: { readonly xy: Uint8Array; readonly xb: Uint8Array },
  id: Uint8Array,
  keys: { readonly B: Uint8Array; readonly X: Uint8Array; readonly Y: Uint8Array },
): { readonly auth: Uint8Array; keyMaterial(length: number): Uint8Array; destroy(): void } {
  const { B, X, Y } = keys;
  const secretInput = concat(exponents.xy, exponents.xb, id, B, X, Y, PROTOID);
  const verify = hmacSha256(T_VERIFY, secretInput);
  return {
    auth: hmacSha256(T_MAC, concat(verify, id, B, Y, X, PROTOID, SERVER)),
    keyMaterial: (length) => hkdfSha256(secretInput, T_KEY, M_EXPAND, length),
    destroy() {
      secretInput.fill(0);
      verify.fill(0);
    },
  };
}

/** An ntor handshake with a relay; the key pair is generated unless a test vector gives it. */
export async function ntorHandshake(target: NtorTarget, ephemeral?: X25519KeyPair): Promise<ClientHandshake> {
  const keyPair = ephemeral ?? (await generateX25519());
  const { rsaId: id, ntorOnionKey: B } = target;
  const X = keyPair.publicKey;
  // Begun ahead, while the relay has yet to answer. Its failure counts when the answer is judged.
  const secret = keyPair.diffieHellman(B);
  secret.catch(() => {});
  return {
    clientPart: concat(id, B, X),
    async finish(relayPart, length) {
      if (relayPart.length !== G_LENGTH + H_LENGTH) {
        throw circuitViolation("HANDSHAKE", `an ntor answer of ${relayPart.length} bytes`);
      }
      const Y = relayPart.slice(0, G_LENGTH);
      // Both throw when the result is all zero: a point of small order gives away the secret.
      const [xy, xb] = await Promise.all([keyPair.diffieHellman(Y), secret]);
      const secrets = ntorSecrets({ xy, xb }, id, { B, X, Y });
      try {
        if (!equalBytes(secrets.auth, relayPart.subarray(G_LENGTH))) {
          throw circuitViolation("HANDSHAKE", "the relay's ntor AUTH does not match");
        }
        return { keyMaterial: secrets.keyMaterial(length), message: undefined };
      } finally {
        for (const secret of [xy, xb]) secret.fill(0);
        secrets.destroy();
      }
    },
  };
}
