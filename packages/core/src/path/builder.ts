// Builds one circuit along relays already chosen: channel, first hop, extensions, each within its time (tor-spec 5).
// It tells the guard algorithm what it learned about the guard. Not here: choosing relays, trying again.

import { abortable, abortError } from "../base/abort.ts";
import { type TorError, toTorError } from "../base/errors.ts";
import type { MemoryQuota } from "../base/memory-quota.ts";
import type { Ciphers, Clock, Log } from "../base/ports.ts";
import type { CellLimits, Circuit } from "../circuit/api.ts";
import { createCircuit } from "../circuit/create.ts";
import type { CongestionParams } from "../circuit/flow/params.ts";
import { startHandshake } from "../circuit/hop-handshake.ts";
import type { HopHandshake } from "../circuit/hop-layer.ts";
import type { NetDir, Relay } from "../directory/api.ts";
import type { Channel, ChannelTarget } from "../link/api.ts";
import type { ChannelPool } from "./channels.ts";
import type { GuardTicket } from "./guard-ticket.ts";
import { hopRequest, negotiationParams } from "./negotiation.ts";
import { type PaddingMode, paddingRange, padsBeforeUse } from "./padding.ts";
import type { CircuitPurpose, CircuitRegistry } from "./registry.ts";
import { type BuildProgress, type BuildTimes, timedBuild } from "./timed-build.ts";

/**
 * Cells that circuits of a purpose carry at the most. A consensus and all microdescriptors of the public network are 20,000
 * cells, and a few hundred ask for them: a cache that sends six times that on one circuit is up to something.
 */
const CELL_LIMITS: Readonly<Record<CircuitPurpose, CellLimits>> = {
  general: {},
  directory: { incoming: 131_072, outgoing: 16_384 },
};

export interface CircuitBuilderOptions {
  readonly channels: ChannelPool;
  readonly registry: CircuitRegistry;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  readonly ciphers?: Ciphers | undefined;
  /** Where what waits for readers is counted. */
  readonly memory?: MemoryQuota | undefined;
  readonly padding: PaddingMode;
  /** What the user wants of circuits. */
  readonly circuits: { readonly cgo: boolean };
  readonly times: BuildTimes;
}

export interface BuildRequest {
  readonly purpose: CircuitPurpose;
  /** A fallback directory, of which no onion key is known (CREATE_FAST), or a relay of the consensus. */
  readonly first:
    | { readonly fallback: ChannelTarget }
    | { readonly relay: Relay; readonly guard?: GuardTicket };
  readonly others: readonly Relay[];
  /** The view of the network, whose parameters hold for the circuit; undefined while there is none. */
  readonly netdir: NetDir | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class CircuitBuilder {
  readonly #options: CircuitBuilderOptions;

  constructor(options: CircuitBuilderOptions) {
    this.#options = options;
  }

  /** @throws TorError of the step that failed; `circuit-collapse` when the time is over */
  async build(request: BuildRequest): Promise<Circuit> {
    const { registry } = this.#options;
    const first = "relay" in request.first ? request.first.relay : request.first.fallback;
    const id = registry.begin(request.purpose, [first, ...request.others]);
    try {
      const circuit = await this.#build(id, request, first);
      registry.opened(id, circuit.hops);
      registry.watch(request.purpose, circuit);
      circuit.closed.then((error) => registry.closed(id, error));
      return circuit;
    } catch (error) {
      registry.closed(id, toTorError(error));
      throw error;
    }
  }

  async #build(id: number, request: BuildRequest, first: ChannelTarget): Promise<Circuit> {
    const { channels, clock, registry, times } = this.#options;
    const guard = "relay" in request.first ? request.first.guard : undefined;
    const plan = this.#plan(request);
    const channel = await channels.get(first, request.signal).catch((thrown) => {
      const error = toTorError(thrown);
      if (error.kind === "aborted") guard?.gaveUp();
      else guard?.failed(error, false);
      throw error;
    });
    const failed = (error: TorError, { hops }: BuildProgress): void => {
      if (hops === 0 && isSilence(error)) channels.retire(channel);
      if (error.kind === "aborted") guard?.gaveUp();
      else if (hops > 0) guard?.failedLater(error);
      else guard?.failed(error, true);
    };
    const circuit = await timedBuild({
      ...{ clock, times, hops: 1 + request.others.length, signal: request.signal },
      run: (signal, progress) =>
        this.#hops(id, request, channel, plan, signal, progress).catch((thrown) => {
          const error = toTorError(thrown);
          failed(error, progress);
          throw error;
        }),
      mayGiveUp: () => registry.isAnyOpen(request.purpose),
      onGiveUp: failed,
    });
    circuit.closed.then((error) => guard?.closed(error));
    try {
      if (guard !== undefined) await abortable(guard.built(), request.signal);
    } catch (error) {
      circuit.close();
      throw error;
    }
    return circuit;
  }

  async #hops(
    id: number,
    request: BuildRequest,
    channel: Channel,
    plan: Plan,
    signal: AbortSignal,
    progress: BuildProgress,
  ): Promise<Circuit> {
    const circuit = await this.#firstHop(id, request, channel, plan, signal);
    try {
      progress.hops++;
      for (const { relay, handshake } of plan.others) {
        await circuit.extend(relay, { handshake: await handshake, signal });
        progress.hops++;
      }
      if (signal.aborted) throw abortError(signal);
    } catch (thrown) {
      circuit.close();
      throw thrown;
    }
    return circuit;
  }

  /**
   * Begins the handshakes, each relay asked for what it is in its place: the first one's at once, the others' while that
   * one is awaited, so that each is ready in its turn. Without a view of the network nobody is asked for anything.
   */
  #plan({ purpose, netdir, first, others }: BuildRequest): Plan {
    const params = netdir && negotiationParams(netdir, this.#options.circuits);
    const last = purpose === "general" ? "exit" : "directory";
    const start = (relay: Relay, place: number) => {
      const part = place === others.length ? last : "guard-or-middle";
      return startHandshake(relay, params && hopRequest(relay, part, params));
    };
    const firstStarted = "relay" in first ? start(first.relay, 0) : undefined;
    const sent = Promise.resolve(firstStarted?.data).catch(() => {});
    return {
      congestion: params?.congestion,
      first: firstStarted,
      others: others.map((relay, i) => ({ relay, handshake: sent.then(() => start(relay, 1 + i)) })),
    };
  }

  async #firstHop(
    id: number,
    request: BuildRequest,
    channel: Channel,
    { congestion, first: handshake }: Plan,
    signal: AbortSignal,
  ): Promise<Circuit> {
    const { clock, log, ciphers, memory } = this.#options;
    const onUse = this.#pad(channel, request);
    const cellLimits = CELL_LIMITS[request.purpose];
    const common = { id, channel, clock, log, ciphers, memory, congestion, cellLimits, signal, onUse };
    if ("fallback" in request.first) return createCircuit({ ...common, firstHop: { fast: true } });
    return createCircuit({ ...common, firstHop: request.first.relay, handshake });
  }

  /** Has the link padded, now or when the circuit is first used: what only fetches documents hides nothing (padding-spec 2.2). */
  #pad(channel: Channel, { netdir, others }: BuildRequest): (() => void) | undefined {
    if (netdir === undefined || others.length === 0) return undefined;
    const pad = () => channel.pad(paddingRange(this.#options.padding, netdir));
    if (!padsBeforeUse(netdir)) return pad;
    pad();
    return undefined;
  }
}

interface Plan {
  readonly congestion: CongestionParams | undefined;
  /** Undefined for a fallback directory, of which no onion key is known. */
  readonly first: HopHandshake | undefined;
  readonly others: readonly { readonly relay: Relay; readonly handshake: Promise<HopHandshake> }[];
}

/** Not a word came back: the next circuit is better begun on another link. */
function isSilence({ code }: TorError): boolean {
  return code === "ALLIUM_E_CIRCUIT_TIMEOUT";
}
