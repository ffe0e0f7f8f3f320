// The handshake with one relay, and the hop that comes of it: which handshake it is, what it asks for, and so which relay
// crypto, cell format and flow control the hop has (tor-spec 5.1; proposals 324, 332, 359).

import type { HopTarget } from "./api.ts";
import type { HopFlow } from "./flow/api.ts";
import { VegasFlow } from "./flow/vegas.ts";
import { WindowFlow } from "./flow/windows.ts";
import type { ClientHandshake } from "./handshake/api.ts";
import { fastHandshake } from "./handshake/fast.ts";
import {
  type HopRequest,
  type NegotiatedHop,
  negotiatedHop,
  requestMessage,
} from "./handshake/negotiation.ts";
import { NTOR_TYPE, ntorHandshake } from "./handshake/ntor.ts";
import { NTOR_V3_TYPE, ntorV3Handshake } from "./handshake/ntor-v3.ts";
import type { HopContext, HopHandshake, HopLayer } from "./hop-layer.ts";
import { relayCellV0 } from "./relaycell/format.ts";
import { relayCellV1 } from "./relaycell/format-v1.ts";
import { CGO_KEY_MATERIAL, CgoCrypto } from "./relaycrypto/cgo.ts";
import { TOR1_KEY_MATERIAL, Tor1Crypto } from "./relaycrypto/tor1.ts";

/** The plain handshake: for hops that are asked for nothing. */
export const PLAIN_NTOR: HopRequest = { handshake: "ntor", congestionControl: undefined, cgo: false };

export function startFastHandshake(): HopHandshake {
  return hopHandshake(0, Promise.resolve(fastHandshake()), PLAIN_NTOR);
}

/** Begins a handshake with `target`; each serves one hop. */
export function startHandshake(target: HopTarget, request: HopRequest = PLAIN_NTOR): HopHandshake {
  return request.handshake === "ntor"
    ? hopHandshake(NTOR_TYPE, ntorHandshake(target), request)
    : hopHandshake(NTOR_V3_TYPE, ntorV3Handshake(target, requestMessage(request)), request);
}

function hopHandshake(type: number, started: Promise<ClientHandshake>, request: HopRequest): HopHandshake {
  const data = started.then(({ clientPart }) => clientPart);
  // Whoever sends it hears of a failure; a handshake that is not sent fails for nobody.
  data.catch(() => {});
  return {
    type,
    data,
    async finish(answer, context) {
      const length = request.cgo ? CGO_KEY_MATERIAL : TOR1_KEY_MATERIAL;
      const { keyMaterial, message } = await (await started).finish(answer, length);
      try {
        return hopLayer(negotiatedHop(request, message), keyMaterial, context);
      } finally {
        keyMaterial.fill(0);
      }
    },
  };
}

function hopLayer(agreed: NegotiatedHop, keyMaterial: Uint8Array, context: HopContext): HopLayer {
  const flow = hopFlow(agreed, context);
  return agreed.cgo
    ? { agreed, flow, format: relayCellV1, crypto: new CgoCrypto(keyMaterial) }
    : { agreed, flow, format: relayCellV0, crypto: new Tor1Crypto(keyMaterial, context.ciphers) };
}

function hopFlow({ congestionControl }: NegotiatedHop, context: HopContext): HopFlow {
  if (congestionControl === undefined) return new WindowFlow();
  const { clock, congestion: params, isBlocked } = context;
  return new VegasFlow({ params, sendmeInc: congestionControl.sendmeInc, clock, isBlocked });
}
