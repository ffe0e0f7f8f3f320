// The CREATE_FAST handshake (tor-spec 5.1.5, 5.2.1): two random values, protected by the channel's TLS alone.
// Only ever for the first hop, at bootstrap, when no onion key is known.

import { concat, equalBytes } from "../../base/bytes.ts";
import { randomBytes } from "../../base/random.ts";
import { kdfTor } from "../../crypto/kdf.ts";
import { circuitViolation } from "../violation.ts";
import type { ClientHandshake } from "./api.ts";

/** HASH_LEN (tor-spec 0.3): the length of X, of Y and of the derivative key data. */
export const FAST_LENGTH = 20;

/** A CREATE_FAST handshake; `x` is drawn unless a test vector gives it. */
export function fastHandshake(x: Uint8Array = randomBytes(FAST_LENGTH)): ClientHandshake {
  return {
    clientPart: x,
    async finish(relayPart, length) {
      const y = relayPart.subarray(0, FAST_LENGTH);
      const keys = kdfTor(concat(x, y), FAST_LENGTH + length);
      if (!equalBytes(keys.subarray(0, FAST_LENGTH), relayPart.subarray(FAST_LENGTH))) {
        throw circuitViolation("HANDSHAKE", "CREATED_FAST's derivative key data does not match");
      }
      return { keyMaterial: keys.subarray(FAST_LENGTH), message: undefined };
    },
  };
}
