// Makes a circuit of one hop on a channel: CREATE_FAST or CREATE2 with ntor (tor-spec 5.1).

import { throwIfAborted } from "../base/abort.ts";
import type { Clock, Log } from "../base/ports.ts";
import type { Channel } from "../link/api.ts";
import type { Circuit, HopTarget } from "./api.ts";
import { TorCircuit } from "./circuit.ts";

export interface CreateCircuitOptions {
  /** Unique within the client; for events and logs. */
  readonly id: number;
  readonly channel: Channel;
  /** The channel's relay with its onion key, or `fast` where no onion key is known. */
  readonly firstHop: HopTarget | { readonly fast: true };
  readonly clock: Clock;
  readonly log?: Log;
  readonly signal?: AbortSignal;
  /** Milliseconds until a relay that does not answer fails the circuit. */
  readonly timeout?: number;
}

/** A circuit with its first hop. When it fails or is aborted, the circuit's place on the channel is free again. */
export async function createCircuit(options: CreateCircuitOptions): Promise<Circuit> {
  const { signal, timeout } = options;
  throwIfAborted(signal);
  const circuit = new TorCircuit(options);
  await circuit.create(options.firstHop, {
    ...(signal === undefined ? {} : { signal }),
    ...(timeout === undefined ? {} : { timeout }),
  });
  return circuit;
}
