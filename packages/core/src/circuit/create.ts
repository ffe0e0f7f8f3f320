// Makes a circuit of one hop over a channel (tor-spec 5.1); `extend()` adds the others. The room's entry.
// Not in this room: which relays, when and why; congestion control and other relay crypto than tor1.

import type { Clock, Log } from "../base/ports.ts";
import type { Channel } from "../link/api.ts";
import type { Circuit, HopTarget } from "./api.ts";
import { TorCircuit } from "./circuit.ts";

/** As long as C tor waits for a whole circuit while it has learnt no better (cbtinitialtimeout). */
const DEFAULT_TIMEOUT = 60_000;

export interface CreateCircuitOptions {
  /** Unique within the client; for events and logs. */
  readonly id: number;
  readonly channel: Channel;
  /** `fast` where no onion key is known yet: one hop to a directory cache. */
  readonly firstHop: HopTarget | { readonly fast: true };
  readonly clock: Clock;
  readonly log?: Log;
  readonly signal?: AbortSignal;
  /** Milliseconds for each hop's handshake. */
  readonly timeout?: number;
}

/**
 * A circuit whose first hop has proved itself.
 * @throws TorError `circuit-collapse`, `protocol-violation`, `aborted`, or why the channel is gone
 */
export async function createCircuit(options: CreateCircuitOptions): Promise<Circuit> {
  const { id, channel, clock, firstHop, signal, timeout: hopTimeout = DEFAULT_TIMEOUT } = options;
  const circuit = new TorCircuit({ id, channel, clock, hopTimeout });
  if ("fast" in firstHop) await circuit.createFast(signal);
  else await circuit.create(firstHop, signal);
  const { log } = options;
  log?.({ level: "debug", code: "circuit.created", message: "a circuit has its first hop", data: { id } });
  return circuit;
}
