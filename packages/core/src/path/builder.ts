// Builds one circuit along relays already chosen: channel, first hop, extensions, within one time limit (tor-spec 5).
// It tells the guard manager what it learned about the guard. Not here: choosing relays, trying again.

import { abortError, withTimeout } from "../base/abort.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Clock, Log } from "../base/ports.ts";
import type { Circuit, HopTarget } from "../circuit/api.ts";
import { createCircuit } from "../circuit/create.ts";
import type { Relay } from "../directory/api.ts";
import type { ChannelTarget } from "../link/api.ts";
import { isRelaysFault } from "./blame.ts";
import type { ChannelPool } from "./channels.ts";
import type { GuardManager } from "./guards.ts";
import type { CircuitPurpose, CircuitRegistry } from "./registry.ts";

export interface CircuitBuilderOptions {
  readonly channels: ChannelPool;
  readonly registry: CircuitRegistry;
  readonly guards: GuardManager;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** Milliseconds for a circuit of three hops; one of fewer gets its share. */
  readonly timeout: number;
}

export interface BuildRequest {
  readonly purpose: CircuitPurpose;
  /** A fallback directory, of which no onion key is known (CREATE_FAST), or a relay of the consensus. */
  readonly first: { readonly fallback: ChannelTarget } | { readonly relay: Relay; readonly isGuard: boolean };
  readonly others: readonly Relay[];
  readonly signal?: AbortSignal | undefined;
}

export class CircuitBuilder {
  readonly #options: CircuitBuilderOptions;

  constructor(options: CircuitBuilderOptions) {
    this.#options = options;
  }

  /** @throws TorError of the step that failed; `circuit-collapse` when the time is over */
  async build(request: BuildRequest): Promise<Circuit> {
    const { clock, registry } = this.#options;
    const timeout = (this.#options.timeout * (1 + request.others.length)) / 3;
    const first = "relay" in request.first ? request.first.relay : request.first.fallback;
    const id = registry.begin(request.purpose, [first, ...request.others]);
    try {
      const error = () =>
        new TorError(
          "circuit-collapse",
          "ALLIUM_E_CIRCUIT_TIMEOUT",
          `the circuit was not built within ${Math.round(timeout)} ms`,
        );
      const circuit = await withTimeout({ clock, ms: timeout, signal: request.signal, error }, (signal) =>
        this.#build(id, request, first, signal),
      );
      registry.opened(id);
      circuit.closed.then(() => registry.closed(id));
      return circuit;
    } catch (error) {
      registry.closed(id);
      throw error;
    }
  }

  async #build(
    id: number,
    request: BuildRequest,
    first: ChannelTarget,
    signal: AbortSignal,
  ): Promise<Circuit> {
    const { guards } = this.#options;
    const guard = "relay" in request.first && request.first.isGuard ? request.first.relay : undefined;
    const circuit = await this.#firstHop(id, request, first, signal).catch((thrown) => {
      const error = toTorError(thrown);
      if (guard !== undefined && isRelaysFault(error)) guards.failed(guard);
      throw error;
    });
    try {
      for (const relay of request.others) await circuit.extend(relay, { signal });
      if (signal.aborted) throw abortError(signal);
    } catch (error) {
      circuit.close();
      throw error;
    }
    if (guard !== undefined) guards.succeeded(guard);
    return circuit;
  }

  async #firstHop(
    id: number,
    request: BuildRequest,
    first: ChannelTarget,
    signal: AbortSignal,
  ): Promise<Circuit> {
    const { channels, clock, log } = this.#options;
    const channel = await channels.get(first, signal);
    const firstHop: HopTarget | { fast: true } =
      "relay" in request.first ? request.first.relay : { fast: true };
    return createCircuit({ id, channel, firstHop, clock, signal, ...(log === undefined ? {} : { log }) });
  }
}
