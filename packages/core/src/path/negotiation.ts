// Which handshake a hop is made with and what it is asked for: as C tor 0.4.9's client chooses (extend_info_new,
// circuit_pick_create_handshake, client_circ_negotiation_message), so that no relay can tell the two apart by it.
// Not here: what the handshakes do (circuit/handshake).

import { CongestionAlgorithm, type CongestionParams, congestionParams } from "../circuit/flow/params.ts";
import type { HopRequest } from "../circuit/handshake/negotiation.ts";
import type { NetDir, Relay } from "../directory/api.ts";

/**
 * What a hop is for:
 * - `exit`: the last hop of a circuit for streams to the outside
 * - `directory`: the directory cache of a BEGIN_DIR circuit, of one hop or more. C tor asks it for the same as an exit.
 * - `guard-or-middle`: every other hop; the last one of a circuit for onion services too
 */
export type HopUse = "guard-or-middle" | "exit" | "directory";

/** What the network and the user have to say about hops. */
export interface NegotiationParams {
  readonly congestion: CongestionParams;
  readonly cgo: boolean;
}

/**
 * Reads what the network has to say. `cgo_enabled` is Allium's own parameter, 0 or 1: a network that sets it to 0, in its
 * consensus or by `NetworkConfig.params`, has no Counter Galois Onion.
 * @param options `cgo`: false where the user wants none either; the exit can then tell us from C tor
 */
export function negotiationParams(
  netdir: Pick<NetDir, "param">,
  options: { readonly cgo?: boolean | undefined } = {},
): NegotiationParams {
  return {
    congestion: congestionParams((...param) => netdir.param(...param), "exit"),
    cgo: options.cgo !== false && netdir.param("cgo_enabled", 1, 0, 1) === 1,
  };
}

/** The handshake for `relay`, and what to ask for within it. */
export function hopRequest(
  relay: Pick<Relay, "supports">,
  use: HopUse,
  { congestion, cgo: cgoAllowed }: NegotiationParams,
): HopRequest {
  // C tor builds no circuit through a relay that has the newer subprotocols and not ntor-v3; none exists.
  if (!relay.supports("Relay", 4)) return { handshake: "ntor", congestionControl: undefined, cgo: false };
  // C tor's supports_cgo: congestion control, subprotocol negotiation, Counter Galois Onion.
  const cgo = relay.supports("FlowCtrl", 2) && relay.supports("Relay", 5) && relay.supports("Relay", 6);
  const congestionControl =
    use !== "guard-or-middle" &&
    congestion.alg === CongestionAlgorithm.VEGAS &&
    relay.supports("FlowCtrl", 2);
  if (congestionControl) {
    const { sendmeInc } = congestion;
    return { handshake: "ntor-v3", congestionControl: { sendmeInc }, cgo: cgo && cgoAllowed };
  }
  // Where there is nothing to ask for, C tor chooses by supports_cgo; a switch of ours must not show here.
  return { handshake: cgo ? "ntor-v3" : "ntor", congestionControl: undefined, cgo: false };
}
