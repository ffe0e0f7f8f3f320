// What a hop is asked for within its handshake, and what has been agreed once the relay has answered (proposal 324, 10.3;
// proposal 346; C tor's negotiate_v3_ntor_client_circ_params). Pure functions.
// Not here: when a hop is asked for what (path/negotiation.ts).

import { circuitViolation } from "../violation.ts";
import {
  CC_REQUEST,
  decodeCcResponse,
  decodeExtensions,
  encodeExtensions,
  findExtension,
  ResponseExtension,
  subprotocolRequest,
} from "./extensions.ts";

/** How far the relay's sendme_inc may be from the consensus's (C tor 0.4.9; proposal 324, 10.5 allows a factor of two). */
const SENDME_INC_MARGIN = 1;

interface CongestionControl {
  /** Cells that one SENDME of the circuit acknowledges, 1 to 255. */
  readonly sendmeInc: number;
}

/**
 * What a hop is asked for. Congestion control comes with the consensus's cc_sendme_inc. Counter Galois Onion is never asked
 * for without congestion control: its cell format V1 has no stream-level SENDME, so streams would have no window.
 */
export type HopRequest =
  | { readonly handshake: "ntor"; readonly congestionControl: undefined; readonly cgo: false }
  | { readonly handshake: "ntor-v3"; readonly congestionControl: undefined; readonly cgo: false }
  | { readonly handshake: "ntor-v3"; readonly congestionControl: CongestionControl; readonly cgo: boolean };

/** What a hop does from now on. */
export interface NegotiatedHop {
  /** Windows of tor-spec 7.3 where undefined. */
  readonly congestionControl: CongestionControl | undefined;
  /** Counter Galois Onion with cell format V1, or tor1 with V0. */
  readonly cgo: boolean;
}

/** The client's message of an ntor-v3 handshake. */
export function requestMessage({ congestionControl, cgo }: HopRequest): Uint8Array {
  return encodeExtensions([
    ...(congestionControl === undefined ? [] : [CC_REQUEST]),
    // Relay=6 is Counter Galois Onion.
    ...(cgo ? [subprotocolRequest([["Relay", 6]])] : []),
  ]);
}

/**
 * What was agreed, from the relay's message (of ntor-v3) or none (of ntor). Extensions of unknown types are ignored.
 * @throws TorError `ALLIUM_E_CIRCUIT_HANDSHAKE` when the message is malformed, answers what was not asked, or goes beyond
 *   what may be answered
 */
export function negotiatedHop(request: HopRequest, message: Uint8Array | undefined): NegotiatedHop {
  if ((message !== undefined) !== (request.handshake === "ntor-v3")) {
    throw circuitViolation("HANDSHAKE", `a message that does not belong to ${request.handshake}`);
  }
  if (message === undefined) return { congestionControl: undefined, cgo: false };
  const response = findExtension(decodeExtensions(message), ResponseExtension.CC_RESPONSE);
  if (response === undefined) return withoutCongestionControl(request);
  // C tor takes this wherever the consensus allows congestion control. A hop that was not asked has no business to set it.
  if (request.congestionControl === undefined) {
    throw circuitViolation("HANDSHAKE", "CC_RESPONSE where congestion control was not asked for");
  }
  const sendmeInc = decodeCcResponse(response);
  const expected = request.congestionControl.sendmeInc;
  if (sendmeInc === 0 || Math.abs(sendmeInc - expected) > SENDME_INC_MARGIN) {
    throw circuitViolation("HANDSHAKE", `sendme_inc ${sendmeInc} where the consensus has ${expected}`);
  }
  return { congestionControl: { sendmeInc }, cgo: request.cgo };
}

/**
 * A relay may decline congestion control: its consensus may have switched it off. With Counter Galois Onion it may not, and
 * C tor's relays then refuse the handshake; streams in cell format V1 would run without any window.
 */
function withoutCongestionControl(request: HopRequest): NegotiatedHop {
  if (request.cgo) {
    throw circuitViolation("HANDSHAKE", "Counter Galois Onion was asked for, and CC_RESPONSE is missing");
  }
  return { congestionControl: undefined, cgo: false };
}
