// The relay's side of a hop: the same algorithms as the client's, with the directions exchanged.

import { concat } from "../../base/bytes.ts";
import type { Ciphers, Clock } from "../../base/ports.ts";
import type { HopFlow } from "../../circuit/flow/api.ts";
import type { CongestionParams } from "../../circuit/flow/params.ts";
import { VegasFlow } from "../../circuit/flow/vegas.ts";
import { WindowFlow } from "../../circuit/flow/windows.ts";
import type { NegotiatedHop } from "../../circuit/handshake/negotiation.ts";
import type { HopLayer } from "../../circuit/hop-layer.ts";
import { relayCellV0 } from "../../circuit/relaycell/format.ts";
import { relayCellV1 } from "../../circuit/relaycell/format-v1.ts";
import { CGO_KEY_MATERIAL, CgoCrypto } from "../../circuit/relaycrypto/cgo.ts";
import { TOR1_KEY_MATERIAL, Tor1Crypto } from "../../circuit/relaycrypto/tor1.ts";

/** Bytes of key material of a hop that does what was agreed. */
export function keyMaterialLength({ cgo }: NegotiatedHop): number {
  return cgo ? CGO_KEY_MATERIAL : TOR1_KEY_MATERIAL;
}

/** Df and Db, Kf and Kb change places. */
export function tor1RelaySide(material: Uint8Array, ciphers?: Ciphers): Tor1Crypto {
  const part = (from: number, to: number) => material.subarray(from, to);
  return new Tor1Crypto(concat(part(20, 40), part(0, 20), part(56, 72), part(40, 56)), ciphers);
}

interface LayerContext {
  readonly clock: Clock;
  readonly congestion: CongestionParams;
  readonly ciphers?: Ciphers | undefined;
}

/** What a relay keeps of a hop. */
export function relayLayer(agreed: NegotiatedHop, material: Uint8Array, context: LayerContext): HopLayer {
  const flow = relayFlow(agreed, context);
  return agreed.cgo
    ? { agreed, flow, format: relayCellV1, crypto: new CgoCrypto(material, "relay") }
    : { agreed, flow, format: relayCellV0, crypto: tor1RelaySide(material, context.ciphers) };
}

function relayFlow({ congestionControl }: NegotiatedHop, { clock, congestion }: LayerContext): HopFlow {
  if (congestionControl === undefined) return new WindowFlow();
  const { sendmeInc } = congestionControl;
  return new VegasFlow({ params: congestion, sendmeInc, clock, isBlocked: () => false });
}
