// Makes a circuit of one hop on a channel: CREATE_FAST or CREATE2 (tor-spec 5.1).

import { throwIfAborted } from "../base/abort.ts";
import type { Circuit, HopTarget } from "./api.ts";
import { TorCircuit, type TorCircuitOptions } from "./circuit.ts";
import type { HopHandshake } from "./hop-layer.ts";

export interface CreateCircuitOptions extends TorCircuitOptions {
  /** The channel's relay with its onion key, or `fast` where no onion key is known. */
  readonly firstHop: HopTarget | { readonly fast: true };
  /** The handshake with the first hop, where it has an onion key; a plain ntor handshake unless told otherwise. */
  readonly handshake?: HopHandshake | undefined;
  readonly signal?: AbortSignal;
  /** Milliseconds until a relay that does not answer fails the circuit. */
  readonly timeout?: number;
}

/** A circuit with its first hop. When it fails or is aborted, the circuit's place on the channel is free again. */
export async function createCircuit(options: CreateCircuitOptions): Promise<Circuit> {
  const { handshake, signal, timeout } = options;
  throwIfAborted(signal);
  const circuit = new TorCircuit(options);
  await circuit.create(options.firstHop, {
    ...(handshake === undefined ? {} : { handshake }),
    ...(signal === undefined ? {} : { signal }),
    ...(timeout === undefined ? {} : { timeout }),
  });
  return circuit;
}
