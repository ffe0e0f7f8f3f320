// The handshake with one relay, and the hop that comes of it: which handshake it is, what it asks for, and so which relay
// crypto, cell format and flow control the hop has (tor-spec 5.1; proposals 324, 332, 359).

import type { Ciphers, Clock } from "../base/ports.ts";
import type { HopTarget } from "./api.ts";
import type { HopFlow } from "./flow/api.ts";
import type { CongestionParams } from "./flow/params.ts";
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
import type { HopLayer } from "./hop.ts";
import { relayCellV0 } from "./relaycell/format.ts";
import { relayCellV1 } from "./relaycell/format-v1.ts";
import { CGO_KEY_MATERIAL, CgoCrypto } from "./relaycrypto/cgo.ts";
import { TOR1_KEY_MATERIAL, Tor1Crypto } from "./relaycrypto/tor1.ts";

/** A handshake under way. */
export interface HopHandshake {
  /** HTYPE in CREATE2 and EXTEND2; 0 for CREATE_FAST, which has none. */
  readonly type: number;
  /** What CREATE_FAST, or HDATA of CREATE2 and EXTEND2, carries. */
  readonly data: Uint8Array;
  /** The hop's layer. @throws TorError `protocol-violation` when the answer does not prove what it must */
  finish(answer: Uint8Array): Promise<HopLayer>;
}

/** What hops are made of. */
export interface HopContext {
  readonly clock: Clock;
  readonly ciphers: Ciphers | undefined;
  /** Parameters of congestion control, for hops that agree to it. */
  readonly congestion: CongestionParams;
  /** Whether the channel takes no more data. */
  readonly isBlocked: () => boolean;
}

/** The plain handshake: for hops that are asked for nothing. */
export const PLAIN_NTOR: HopRequest = { handshake: "ntor", congestionControl: undefined, cgo: false };

export function startFastHandshake(context: HopContext): HopHandshake {
  return hopHandshake(0, fastHandshake(), PLAIN_NTOR, context);
}

export async function startHandshake(
  target: HopTarget,
  request: HopRequest,
  context: HopContext,
): Promise<HopHandshake> {
  return request.handshake === "ntor"
    ? hopHandshake(NTOR_TYPE, await ntorHandshake(target), request, context)
    : hopHandshake(NTOR_V3_TYPE, await ntorV3Handshake(target, requestMessage(request)), request, context);
}

function hopHandshake(
  type: number,
  handshake: ClientHandshake,
  request: HopRequest,
  context: HopContext,
): HopHandshake {
  return {
    type,
    data: handshake.clientPart,
    async finish(answer) {
      const length = request.cgo ? CGO_KEY_MATERIAL : TOR1_KEY_MATERIAL;
      const { keyMaterial, message } = await handshake.finish(answer, length);
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
    ? { flow, format: relayCellV1, crypto: new CgoCrypto(keyMaterial) }
    : { flow, format: relayCellV0, crypto: new Tor1Crypto(keyMaterial, context.ciphers) };
}

function hopFlow({ congestionControl }: NegotiatedHop, context: HopContext): HopFlow {
  if (congestionControl === undefined) return new WindowFlow();
  const { clock, congestion: params, isBlocked } = context;
  return new VegasFlow({ params, sendmeInc: congestionControl.sendmeInc, clock, isBlocked });
}
