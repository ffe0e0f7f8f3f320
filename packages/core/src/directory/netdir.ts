// A verified consensus joined with its microdescriptors: the view of the network that paths are chosen from.
// Not here: choosing (the path room), verifying (signatures.ts).

import { formatSocketAddress, type RelayAddress } from "../base/address.ts";
import { fromLatin1 } from "../base/encoding.ts";
import type { ListedRelay, NetDir, NetworkConfig, PortPolicy, Relay, RelayFlag } from "./api.ts";
import type { Consensus } from "./documents/consensus.ts";
import type { Microdescriptor } from "./documents/microdescriptor.ts";
import type { RouterStatus } from "./documents/router-status.ts";

/** Microdescriptors by digest; null for one that is at hand and cannot be used. */
export type Microdescriptors = ReadonlyMap<string, Microdescriptor | null>;

class DescribedRelay implements Relay {
  readonly #status: RouterStatus;
  readonly #microdescriptor: Microdescriptor;
  readonly ed25519Id: Uint8Array;
  readonly bandwidth: number;

  constructor(
    status: RouterStatus,
    microdescriptor: Microdescriptor,
    ed25519Id: Uint8Array,
    bandwidth: number,
  ) {
    this.#status = status;
    this.#microdescriptor = microdescriptor;
    this.ed25519Id = ed25519Id;
    this.bandwidth = bandwidth;
  }

  get nickname(): string {
    return this.#status.nickname;
  }
  get rsaId(): Uint8Array {
    return this.#status.rsaId;
  }
  get addresses(): readonly RelayAddress[] {
    return this.#status.addresses;
  }
  get flags(): ReadonlySet<RelayFlag> {
    return this.#status.flags;
  }
  get unmeasured(): boolean {
    return this.#status.unmeasured;
  }
  get ntorOnionKey(): Uint8Array {
    return this.#microdescriptor.ntorOnionKey;
  }
  get exitPolicy(): PortPolicy {
    return this.#microdescriptor.exitPolicy;
  }
  get exitPolicyIpv6(): PortPolicy {
    return this.#microdescriptor.exitPolicyIpv6;
  }
  get family(): ReadonlySet<string> {
    return this.#microdescriptor.family.names;
  }
  get familyIds(): ReadonlySet<string> {
    return this.#microdescriptor.familyIds.names;
  }
  supports(protocol: string, version: number): boolean {
    return this.#status.protocols.supports(protocol, version);
  }
}

class ConsensusView implements NetDir {
  readonly #consensus: Consensus;
  readonly #overrides: ReadonlyMap<string, number>;
  readonly #byEd25519Id = new Map<string, Relay>();
  readonly #byRsaId = new Map<string, Relay>();
  readonly relays: readonly Relay[];
  readonly undescribed: readonly ListedRelay[];
  #orPorts: ReadonlySet<string> | undefined;

  constructor(consensus: Consensus, microdescriptors: Microdescriptors, network: NetworkConfig) {
    this.#consensus = consensus;
    this.#overrides = new Map(Object.entries(network.params ?? {}));
    const relays: Relay[] = [];
    const undescribed: ListedRelay[] = [];
    // An unmeasured relay's own claim weighs nothing, unless nobody was measured.
    const measured = consensus.routers.some(({ unmeasured }) => !unmeasured);
    for (const status of consensus.routers) {
      const microdescriptor = microdescriptors.get(status.microdescriptor);
      if (microdescriptor === undefined) undescribed.push(status);
      const relay = joined(status, microdescriptor, measured);
      if (relay === undefined) continue;
      const key = fromLatin1(relay.ed25519Id);
      // The authorities let no two relays share an identity; were it so, only the first could be told apart.
      if (this.#byEd25519Id.has(key)) continue;
      this.#byEd25519Id.set(key, relay);
      this.#byRsaId.set(fromLatin1(relay.rsaId), relay);
      relays.push(relay);
    }
    this.relays = relays;
    this.undescribed = undescribed;
  }

  get validAfter(): number {
    return this.#consensus.validAfter;
  }
  get freshUntil(): number {
    return this.#consensus.freshUntil;
  }
  get validUntil(): number {
    return this.#consensus.validUntil;
  }
  get listed(): number {
    return this.#consensus.routers.length;
  }
  get bandwidthWeights(): ReadonlyMap<string, number> {
    return this.#consensus.bandwidthWeights;
  }

  param(name: string, fallback: number, min = -(2 ** 31), max = 2 ** 31 - 1): number {
    const value = this.#overrides.get(name) ?? this.#consensus.params.get(name) ?? fallback;
    return Math.min(max, Math.max(min, value));
  }

  byEd25519Id(id: Uint8Array): Relay | undefined {
    return this.#byEd25519Id.get(fromLatin1(id));
  }

  byRsaId(id: Uint8Array): Relay | undefined {
    return this.#byRsaId.get(fromLatin1(id));
  }

  orPorts(): ReadonlySet<string> {
    if (this.#orPorts === undefined) {
      const ports = new Set<string>();
      for (const { flags, addresses } of this.#consensus.routers) {
        if (!flags.has("Running") || !flags.has("Valid")) continue;
        for (const address of addresses) ports.add(formatSocketAddress(address));
      }
      this.#orPorts = ports;
    }
    return this.#orPorts;
  }
}

/** The relay, or undefined when it lacks what a circuit through it needs. */
function joined(
  status: RouterStatus,
  microdescriptor: Microdescriptor | null | undefined,
  measured: boolean,
): Relay | undefined {
  const ed25519Id = microdescriptor?.ed25519Id;
  // dir-spec 3.3: with NoEdConsensus the Ed25519 identity must be ignored, and we extend to nobody without one.
  if (!microdescriptor || ed25519Id === undefined || status.flags.has("NoEdConsensus")) return undefined;
  const bandwidth = measured && status.unmeasured ? 0 : status.bandwidth;
  return new DescribedRelay(status, microdescriptor, ed25519Id, bandwidth);
}

/** The view that a consensus and the microdescriptors at hand give. */
export function makeNetDir(
  consensus: Consensus,
  microdescriptors: Microdescriptors,
  network: NetworkConfig,
): NetDir {
  return new ConsensusView(consensus, microdescriptors, network);
}
