// What every user of the network needs below its circuits: channels, guards, one-hop directory circuits and the verified
// view of the network, wired together. TorClient stands on it, and so does a bridge that only follows the consensus.

import { settledWithin } from "../base/abort.ts";
import { toHex, utf8 } from "../base/encoding.ts";
import { toTorError } from "../base/errors.ts";
import { MemoryQuota } from "../base/memory-quota.ts";
import type { Ciphers, Clock, Dialer, Log, Store } from "../base/ports.ts";
import { sha256 } from "../crypto/hash.ts";
import type { NetDir, NetworkConfig } from "../directory/api.ts";
import { DirectoryManager, type DirectoryManagerOptions } from "../directory/manager.ts";
import { openChannel } from "../link/open-channel.ts";
import { type Carriage, heldBy, mayBeWithheld, notCarried } from "../path/blame.ts";
import { type BridgeSuspicion, BridgeWatch } from "../path/bridge-watch.ts";
import { BuildTimeouts } from "../path/build-timeout/keeper.ts";
import { CircuitBuilder } from "../path/builder.ts";
import { ChannelPool } from "../path/channels.ts";
import { ClockSkew } from "../path/clock-skew.ts";
import { CircuitDirectoryConnector } from "../path/connector.ts";
import { shortageOf } from "../path/coverage.ts";
import type { ExitCountries } from "../path/geo.ts";
import { GuardKeeper } from "../path/guard-keeper.ts";
import type { GuardEvent } from "../path/guards/sample.ts";
import type { PaddingMode } from "../path/padding.ts";
import { type CircuitInfo, CircuitRegistry } from "../path/registry.ts";
import { PathSelector, type SelectorOptions } from "../path/select.ts";
import { LinkAttempt, type LinkOutcome } from "./link-outcome.ts";

export interface StackOptions {
  readonly network: NetworkConfig;
  readonly dialer: Dialer;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log | undefined;
  readonly ciphers?: Ciphers | undefined;
  /** Bytes that may wait for readers of all streams together. */
  readonly memoryLimit: number;
  readonly padding: PaddingMode;
  readonly circuits: { readonly cgo: boolean };
  /** Milliseconds for a circuit of three hops, where it is not to be learned. */
  readonly circuitBuildTimeout: number | undefined;
  /** Where circuits are to end. */
  readonly exits?: ExitCountries | undefined;
  /** Bytes flow to a relay, or through a bridge towards one. */
  readonly onDialled?: () => void;
  /** A relay proved its identity. */
  readonly onChannel?: () => void;
  /** An attempt to open a channel has ended, and was not given up by us. */
  readonly onLink?: (outcome: LinkOutcome) => void;
  readonly onCircuit?: (info: CircuitInfo) => void;
  readonly onGuard?: (event: GuardEvent) => void;
  /** A circuit is to be begun that nobody asked for. */
  readonly onCircuitWanted?: () => void;
  /** More guards failed through a bridge than chance explains. */
  readonly onBridge?: (suspicion: BridgeSuspicion) => void;
  /** How the directory is followed. */
  readonly directory?: Partial<
    Omit<DirectoryManagerOptions, "network" | "connector" | "store" | "clock" | "log">
  >;
}

/** Milliseconds that `close` waits for what is being stored. */
const LONGEST_SAVE = 2000;

export class NetworkStack {
  readonly channels: ChannelPool;
  readonly registry: CircuitRegistry;
  readonly guards: GuardKeeper;
  readonly buildTimeouts: BuildTimeouts;
  readonly clockSkew: ClockSkew;
  readonly bridges: BridgeWatch;
  readonly memory: MemoryQuota;
  readonly builder: CircuitBuilder;
  readonly directory: DirectoryManager;
  readonly #connector: CircuitDirectoryConnector;
  readonly #clock: Clock;
  readonly #distinctSubnets: boolean;
  readonly #selection: SelectorOptions;
  #selector: PathSelector | undefined;

  constructor(options: StackOptions) {
    const { network, store, clock, log, ciphers, padding, circuits, circuitBuildTimeout } = options;
    this.#distinctSubnets = network.allowPrivateAddresses !== true;
    this.#selection = {
      exits: options.exits,
      onElsewhere: ({ message }) => log?.({ level: "warn", code: "path.exit-elsewhere", message }),
    };
    this.#clock = clock;
    this.clockSkew = new ClockSkew(clock);
    this.bridges = new BridgeWatch({
      clock,
      bridges: options.dialer.bridges,
      onSuspicion: (suspicion) => this.#onSuspicion(options, suspicion),
    });
    this.guards = new GuardKeeper({
      ...{ store, key: networkKey("guards", network), clock, log },
      ...{ onEvent: options.onGuard, onWanted: options.onCircuitWanted },
      ...{ watch: this.bridges, sample: (netdir, allowed) => this.selectorFor(netdir).sampleGuard(allowed) },
    });
    this.channels = this.#channelPool(options);
    this.registry = new CircuitRegistry(options.onCircuit);
    this.memory = new MemoryQuota(options.memoryLimit, "the client");
    this.buildTimeouts = new BuildTimeouts({
      ...{ store, key: networkKey("build-times", network), log, fixed: circuitBuildTimeout },
    });
    const { channels, registry, guards, memory, buildTimeouts: times } = this;
    this.builder = new CircuitBuilder({
      ...{ channels, registry, memory, clock, log, ciphers, padding, circuits, times },
    });
    const selectorFor = (netdir: NetDir) => this.selectorFor(netdir);
    this.#connector = new CircuitDirectoryConnector({
      ...{ network, builder: this.builder, guards, selectorFor, clock },
      onTrouble: options.directory?.onTrouble,
    });
    this.directory = new DirectoryManager({
      ...{ network, connector: this.#connector, store, clock, log },
      shortage: (netdir) => {
        guards.prepare(netdir);
        return shortageOf(netdir, guards.neededIds());
      },
      ...options.directory,
      onNetDir: (netdir) => {
        times.update(netdir);
        options.directory?.onNetDir?.(netdir);
      },
    });
  }

  /** The selector of a view of the network; the last one is kept, as making one reads all relays. */
  selectorFor(netdir: NetDir): PathSelector {
    if (this.#selector?.netdir !== netdir)
      this.#selector = new PathSelector(netdir, this.#distinctSubnets, this.#selection);
    return this.#selector;
  }

  /** Reads what is stored of guards and build times. @throws TorError `storage-denied` */
  async load(): Promise<void> {
    await Promise.all([this.guards.load(), this.buildTimeouts.load()]);
  }

  /** The device is on another network: nothing new goes over links of the last, and what failed on it says nothing. */
  networkChanged(): void {
    this.channels.retireAll();
    this.#connector.startOver();
    this.guards.networkChanged();
  }

  async close(): Promise<void> {
    this.#connector.close();
    this.channels.close();
    const saved = Promise.all([this.guards.flush(), this.buildTimeouts.flush()]);
    // Another tab may hold the store's locks and never let go.
    await settledWithin(this.#clock, LONGEST_SAVE, saved);
  }

  #onSuspicion({ dialer, log, onBridge }: StackOptions, suspicion: BridgeSuspicion): void {
    const { bridge, tried, failed } = suspicion;
    dialer.leave?.(bridge);
    log?.({
      level: "warn",
      code: "bridge.suspicious",
      message: "more guards cannot be reached through a bridge than chance explains: it may be steering",
      data: { tried, failed },
    });
    onBridge?.(suspicion);
  }

  #channelPool(options: StackOptions): ChannelPool {
    const { dialer, clock, log, ciphers, padding, onDialled, onChannel, onLink } = options;
    return new ChannelPool({
      clock,
      padding,
      open: async (target, signal) => {
        const relay = toHex(target.rsaId).toUpperCase();
        const through: Carriage[] = [];
        const attempt = new LinkAttempt(clock, onLink);
        const watched: Dialer = {
          dial: async (addresses, dialOptions) => {
            const avoid = this.bridges.avoid(relay);
            const onBridge = (bridge: string) => void through.push({ bridge, at: clock.monotonic() });
            const duplex = await dialer.dial(addresses, { ...dialOptions, avoid, onBridge });
            attempt.isDialled = true;
            onDialled?.();
            return duplex;
          },
        };
        const stopRelayPadding = padding !== "normal";
        const opening = openChannel({
          ...{ dialer: watched, target, clock, signal, ciphers, stopRelayPadding, ...(log && { log }) },
        });
        const channel = await opening.catch((thrown) => {
          const failure = toTorError(thrown);
          if (signal.aborted) throw failure;
          const isCarried = dialer.bridges === undefined || through.length > 0;
          const error = isCarried ? failure : notCarried(failure);
          if (this.guards.has(relay) && mayBeWithheld(error))
            this.bridges.failed(relay, heldBy(through, clock.monotonic()));
          attempt.failed(error);
          throw error;
        });
        attempt.completed();
        if (this.guards.has(relay)) this.bridges.reached(relay, new Set(through.map(({ bridge }) => bridge)));
        this.clockSkew.note(relay, channel.clockSkew);
        onChannel?.();
        return channel;
      },
    });
  }
}

/** Authorities tell one network from another, so two networks may share a store. */
function networkKey(what: string, network: NetworkConfig): string {
  const authorities = network.authorities.map(({ v3ident }) => v3ident.toUpperCase()).sort();
  return `${what}/${toHex(sha256(utf8(authorities.join()))).slice(0, 16)}`;
}
