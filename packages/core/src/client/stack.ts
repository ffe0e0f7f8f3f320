// What every user of the network needs below its circuits: channels, guards, one-hop directory circuits and the verified
// view of the network, wired together. TorClient stands on it, and so does a bridge that only follows the consensus.

import { toHex, utf8 } from "../base/encoding.ts";
import { MemoryQuota } from "../base/memory-quota.ts";
import type { Ciphers, Clock, Dialer, Log, Store } from "../base/ports.ts";
import { sha256 } from "../crypto/hash.ts";
import type { NetDir, NetworkConfig } from "../directory/api.ts";
import { DirectoryManager, type DirectoryManagerOptions } from "../directory/manager.ts";
import { openChannel } from "../link/open-channel.ts";
import { CircuitBuilder } from "../path/builder.ts";
import { ChannelPool } from "../path/channels.ts";
import { CircuitDirectoryConnector } from "../path/connector.ts";
import { type GuardEvent, SampledGuards } from "../path/guards.ts";
import type { PaddingMode } from "../path/padding.ts";
import { type CircuitInfo, CircuitRegistry } from "../path/registry.ts";
import { PathSelector } from "../path/select.ts";

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
  /** Milliseconds for a circuit of three hops. */
  readonly circuitBuildTimeout: number;
  /** Bytes flow to a relay, or through a bridge towards one. */
  readonly onDialled?: () => void;
  /** A relay proved its identity. */
  readonly onChannel?: () => void;
  readonly onCircuit?: (info: CircuitInfo) => void;
  readonly onGuard?: (event: GuardEvent) => void;
  /** How the directory is followed. */
  readonly directory?: Pick<
    DirectoryManagerOptions,
    "consensusOnly" | "onProgress" | "onTrouble" | "onNetDir"
  >;
}

export class NetworkStack {
  readonly channels: ChannelPool;
  readonly registry: CircuitRegistry;
  readonly guards: SampledGuards;
  readonly memory: MemoryQuota;
  readonly builder: CircuitBuilder;
  readonly directory: DirectoryManager;
  readonly #connector: CircuitDirectoryConnector;
  readonly #distinctSubnets: boolean;
  #selector: PathSelector | undefined;

  constructor(options: StackOptions) {
    const { network, store, clock, log, ciphers, padding, circuits, circuitBuildTimeout } = options;
    this.#distinctSubnets = network.allowPrivateAddresses !== true;
    this.channels = channelPool(options);
    this.registry = new CircuitRegistry(options.onCircuit);
    this.guards = new SampledGuards({
      ...{ store, key: guardsKey(network), clock, log, onEvent: options.onGuard },
      sample: (netdir, allowed) => this.selectorFor(netdir).sampleGuard(allowed),
    });
    this.memory = new MemoryQuota(options.memoryLimit, "the client");
    const { channels, registry, guards, memory } = this;
    this.builder = new CircuitBuilder({
      ...{ channels, registry, guards, memory, clock, log, ciphers, padding, circuits },
      timeout: circuitBuildTimeout,
    });
    const selectorFor = (netdir: NetDir) => this.selectorFor(netdir);
    this.#connector = new CircuitDirectoryConnector({
      ...{ network, builder: this.builder, guards, selectorFor, clock },
      onTrouble: options.directory?.onTrouble,
    });
    this.directory = new DirectoryManager({
      ...{ network, connector: this.#connector, store, clock, log, ...options.directory },
    });
  }

  /** The selector of a view of the network; the last one is kept, as making one reads all relays. */
  selectorFor(netdir: NetDir): PathSelector {
    if (this.#selector?.netdir !== netdir) this.#selector = new PathSelector(netdir, this.#distinctSubnets);
    return this.#selector;
  }

  async close(): Promise<void> {
    this.#connector.close();
    this.channels.close();
    await this.guards.flush();
  }
}

/** Authorities tell one network from another, so two networks may share a store. */
function guardsKey(network: NetworkConfig): string {
  const authorities = network.authorities.map(({ v3ident }) => v3ident.toUpperCase()).sort();
  return `guards/${toHex(sha256(utf8(authorities.join()))).slice(0, 16)}`;
}

function channelPool(options: StackOptions): ChannelPool {
  const { dialer, clock, log, ciphers, padding, onDialled, onChannel } = options;
  const watched: Dialer = {
    async dial(target, options) {
      const duplex = await dialer.dial(target, options);
      onDialled?.();
      return duplex;
    },
  };
  return new ChannelPool({
    clock,
    padding,
    async open(target, signal) {
      const channel = await openChannel({
        ...{ dialer: watched, target, clock, signal, ciphers, stopRelayPadding: padding !== "normal" },
        ...(log === undefined ? {} : { log }),
      });
      onChannel?.();
      return channel;
    },
  });
}
