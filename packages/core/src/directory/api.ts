// What the directory room offers: a verified view of the network. And what it needs: a way to ask a directory cache.
// Not here: choosing relays.

import type { RelayAddress } from "../base/address.ts";
import type { ByteStream } from "../base/byte-stream.ts";
import type { TorError } from "../base/errors.ts";
import type { HopTarget } from "../circuit/api.ts";

/** A Tor network as data: which authorities to believe and where to begin. `network.json` is one of these. */
export interface NetworkConfig {
  readonly authorities: readonly {
    readonly nickname: string /** 40 hex digits. */;
    readonly v3ident: string;
  }[];
  readonly fallbacks: readonly {
    /** 40 hex digits. */
    readonly rsaId: string;
    /** Unpadded base64, 43 characters. */
    readonly ed25519Id: string;
    /** `"127.0.0.1:5001"` or `"[2001:db8::1]:9001"`. */
    readonly orPorts: readonly string[];
  }[];
  /** Overrides of consensus parameters. */
  readonly params?: Readonly<Record<string, number>>;
  /** Time period of onion services where it differs from the consensus's (C tor's testing networks). */
  readonly onionTimePeriod?: { readonly minutes: number; readonly offsetMinutes: number };
  /** For networks on loopback: allows internal addresses in BEGIN and CONNECTED, and switches the subnet rule off. */
  readonly allowPrivateAddresses?: boolean;
}

/** Router flags that Allium reads (dir-spec 3.4.1 "s"). Running is implied by the consensus method. */
export type RelayFlag =
  | "Authority"
  | "BadExit"
  | "Exit"
  | "Fast"
  | "Guard"
  | "HSDir"
  | "MiddleOnly"
  | "NoEdConsensus"
  | "Running"
  | "Stable"
  | "StaleDesc"
  | "V2Dir"
  | "Valid";

/** Which ports an exit allows, from a microdescriptor's "p" or "p6" line. */
export interface PortPolicy {
  allows(port: number): boolean;
  readonly rejectsAll: boolean;
}

/** A relay of the consensus with its microdescriptor. */
export interface Relay extends HopTarget {
  readonly nickname: string;
  readonly addresses: readonly RelayAddress[];
  readonly flags: ReadonlySet<RelayFlag>;
  /** Consensus weight ("w Bandwidth="); 0 when unmeasured and others are measured. */
  readonly bandwidth: number;
  readonly unmeasured: boolean;
  readonly exitPolicy: PortPolicy;
  readonly exitPolicyIpv6: PortPolicy;
  /** Members of its declared family: "$" + 40 upper-case hex digits, or a lower-case nickname. */
  readonly family: ReadonlySet<string>;
  /** Happy families (proposal 321): "ed25519:…" */
  readonly familyIds: ReadonlySet<string>;
  /** Subprotocol versions ("pr" line): whether `name=version` is supported. */
  supports(protocol: string, version: number): boolean;
}

/** A relay as a consensus lists it, be its microdescriptor at hand or not. */
export type ListedRelay = Pick<
  Relay,
  "rsaId" | "nickname" | "addresses" | "flags" | "bandwidth" | "unmeasured"
>;

/** A verified consensus with the microdescriptors at hand. Immutable. */
export interface NetDir {
  /** Milliseconds since the epoch. */
  readonly validAfter: number;
  readonly freshUntil: number;
  readonly validUntil: number;
  /** Relays whose microdescriptor is at hand and that have an Ed25519 identity and an ntor key. */
  readonly relays: readonly Relay[];
  /** How many relays the consensus lists. */
  readonly listed: number;
  /** Relays that it lists and whose microdescriptor is not at hand. */
  readonly undescribed: readonly ListedRelay[];
  /** By "w" weights: "Wgg", "Wgm", … each 0..bwweightscale. */
  readonly bandwidthWeights: ReadonlyMap<string, number>;
  /** A consensus parameter, with the network's overrides, clamped to `min` and `max`. */
  param(name: string, fallback: number, min?: number, max?: number): number;
  byEd25519Id(id: Uint8Array): Relay | undefined;
  byRsaId(id: Uint8Array): Relay | undefined;
  /** Socket addresses ("ip:port", canonical) of every Running and Valid relay of the consensus, microdescriptor or not. */
  orPorts(): ReadonlySet<string>;
}

/**
 * Implemented above, by the room that knows paths: whether a directory cache that withheld microdescriptors could steer
 * the choice of paths (path-spec 2.1.0). Undefined when not, otherwise what is lacking, for people.
 */
export type Shortage = (netdir: NetDir) => string | undefined;

/** A document that bridges serve as they got it (docs/protocol/bridge.md, `/dir/`). */
export type SnapshotName = "consensus-microdesc" | "certificates" | "microdescriptors";

/**
 * Where the directory's documents may be had at once instead of through Tor. Nothing in them is believed that would not be
 * believed of a directory cache; what is missing or refused is fetched through Tor.
 */
export interface SnapshotSource {
  /**
   * The document; undefined where none is served.
   * @throws TorError when it cannot be had, or is longer than `maxLength` bytes
   */
  fetch(
    name: SnapshotName,
    options: { readonly maxLength: number; readonly signal: AbortSignal },
  ): Promise<Uint8Array | undefined>;
}

/** A stream to a directory cache, and a way to say what came of it. */
export interface DirectoryConnection {
  readonly stream: ByteStream;
  /** Which cache this is (RSA identity in hex), for blame. */
  readonly cache: string;
  /** Call exactly one of these. */
  done(): void;
  failed(error: TorError): void;
}

export interface DirectoryRequestOptions {
  readonly signal?: AbortSignal;
  /** Caches not to ask again for this document. */
  readonly exclude?: ReadonlySet<string>;
  /** The view of the network so far, if any: guards are asked then, fallbacks before. */
  readonly netdir?: NetDir | undefined;
}

/** Implemented above, by the room that knows circuits: opens BEGIN_DIR streams to directory caches. */
export interface DirectoryConnector {
  open(options: DirectoryRequestOptions): Promise<DirectoryConnection>;
}
