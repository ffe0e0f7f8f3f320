// A relay of a test's own: identities, an address, and both halves of its onion key.

import { randomBytes } from "../../base/random.ts";
import type { HopTarget } from "../../circuit/api.ts";
import { generateX25519 } from "../../crypto/x25519.ts";
import type { RelayKeys } from "./handshakes.ts";

/** A relay that circuits can be made through, and that can answer their handshakes. */
export interface ScriptedRelay extends HopTarget, RelayKeys {}

/** A relay with fresh keys at 198.51.100.7:9001, an address of no network. */
export async function scriptedRelay(): Promise<ScriptedRelay> {
  const onionKey = await generateX25519();
  return {
    rsaId: randomBytes(20),
    ed25519Id: randomBytes(32),
    addresses: [{ family: 4, address: Uint8Array.of(198, 51, 100, 7), port: 9001 }],
    ntorOnionKey: onionKey.publicKey,
    onionKey,
  };
}
