// What a hop is made of, and the handshake that it comes of (tor-spec 5.1; proposals 324, 332, 359). Types alone.

import type { Ciphers, Clock } from "../base/ports.ts";
import type { HopFlow } from "./flow/api.ts";
import type { CongestionParams } from "./flow/params.ts";
import type { NegotiatedHop } from "./handshake/negotiation.ts";
import type { RelayCellFormat } from "./relaycell/format.ts";
import type { RelayCrypto } from "./relaycrypto/api.ts";

/** What was agreed with a relay when it became a hop: how its cells look, are encrypted and are paced. */
export interface HopLayer {
  readonly agreed: NegotiatedHop;
  readonly crypto: RelayCrypto;
  readonly format: RelayCellFormat;
  readonly flow: HopFlow;
}

/** A handshake under way. It may be begun long before it is sent, while the hops before it are built. */
export interface HopHandshake {
  /** HTYPE in CREATE2 and EXTEND2; 0 for CREATE_FAST, which has none. */
  readonly type: number;
  /** What CREATE_FAST, or HDATA of CREATE2 and EXTEND2, carries, once it is computed. */
  readonly data: Promise<Uint8Array>;
  /** The hop's layer. @throws TorError `protocol-violation` when the answer does not prove what it must */
  finish(answer: Uint8Array, context: HopContext): Promise<HopLayer>;
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
