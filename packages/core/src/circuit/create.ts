// Makes a circuit of one hop on a channel: CREATE_FAST or CREATE2 with ntor (tor-spec 5.1).

import { throwIfAborted } from "../base/abort.ts";
import type { Circuit, HopTarget } from "./api.ts";
import { TorCircuit, type TorCircuitOptions } from "./circuit.ts";
import type { HopRequest } from "./handshake/negotiation.ts";

export interface CreateCircuitOptions extends TorCircuitOptions {
  /** The channel's relay with its onion key, or `fast` where no onion key is known. */
  readonly firstHop: HopTarget | { readonly fast: true };
  /** What the first hop is asked for; a plain ntor handshake unless told otherwise. */
  readonly request?: HopRequest | undefined;
  readonly signal?: AbortSignal;
  /** Milliseconds until a relay that does not answer fails the circuit. */
  readonly timeout?: number;
}

/** A circuit with its first hop. When it fails or is aborted, the circuit's place on the channel is free again. */
export async function createCircuit(options: CreateCircuitOptions): Promise<Circuit> {
  const { request, signal, timeout } = options;
  throwIfAborted(signal);
  const circuit = new TorCircuit(options);
  await circuit.create(options.firstHop, {
    ...(request === undefined ? {} : { request }),
    ...(signal === undefined ? {} : { signal }),
    ...(timeout === undefined ? {} : { timeout }),
  });
  return circuit;
}
