// What a private network is asked for and what it tells about itself. `info.json` is a TornetInfo.

import type { NetworkConfig } from "@allium/core";

/** tor's cell scheduler: its default, or the one without 2 ms ticks. */
export type Scheduler = "KIST" | "Vanilla";

/** Consensus parameters by name (param-spec). */
export type ConsensusParams = Readonly<Record<string, number>>;

/** Now and then one direction of a connection is held, as TCP holds what follows a lost segment. */
export interface Stalls {
  /** The same seed loses the same bytes of every connection, so that who is quicker does not meet fewer. */
  readonly seed: number;
  /** Mean number of bytes between two. */
  readonly everyBytes: number;
  /** How long a lost segment takes to come again. */
  readonly holdMs: number;
}

export interface SlowPath {
  /** Each way, so a round trip takes twice as long. */
  readonly delayMs: number;
  /** Each way; no limit unless told otherwise. */
  readonly bytesPerSecond?: number;
  readonly stalls?: Stalls;
}

/** How often the authorities vote. */
export interface Voting {
  /** Seconds between two consensuses, 10 at the least; the first one comes sooner. A divisor of 1800. */
  readonly interval: number;
  /** For how many intervals a consensus is valid, 2 at the least. */
  readonly validFor: number;
}

/** Which links are slow: those of clients to their guards, or all of them, those between relays included. */
export type SlowLinks = "guard" | "every";

/** A node of a network that is not the usual one. */
export interface NodeSpec {
  readonly nickname: string;
  /** Authorities are three at the least; a "guard" is voted Guard. */
  readonly role: NodeRole;
  /** Which of the network's /16 it is in, 0 to 13; several nodes may be in one. */
  readonly subnet: number;
  /** What the authorities measure, the consensus's weight; 10,000, or 10 for an authority, unless told otherwise. */
  readonly weight?: number;
  /** Whether an exit is voted Guard as well. */
  readonly isGuard?: boolean;
  /** Name of its family, whose members list each other (MyFamily). */
  readonly family?: string;
  /** Name of its family by a key (FamilyId, proposal 321). */
  readonly familyKey?: string;
  /** All that an exit lets out; every port unless told otherwise. */
  readonly exitPorts?: readonly number[];
  /** A flag that the authorities give it. */
  readonly verdict?: "BadExit" | "MiddleOnly";
}

export interface TornetOptions {
  /** Other nodes than the usual ones: three authorities, four guards, three exits, a client. */
  readonly nodes?: readonly NodeSpec[];
  /** Where everything is written. Default: `.cache/tornet/run-N` with N the instance's number. */
  readonly dir?: string;
  readonly scheduler?: Scheduler;
  /** Beside the network's own parameters, or in their stead: `cc_alg=0` is fixed windows. */
  readonly consensusParams?: ConsensusParams;
  /** A new consensus each minute, valid for ten, unless told otherwise. */
  readonly voting?: Voting;
  /** Whether exits and authorities have the flag Guard as well. */
  readonly everyRelayIsGuard?: boolean;
  /** Exits that do not announce CGO (binary.ts): C tor's client then takes tor1, with congestion control or without. */
  readonly withoutCgo?: boolean;
  /** A second C tor client that uses conflux; the first one then does not. */
  readonly confluxClient?: boolean;
  /** A delaying proxy before the relays' ORPorts; it is in force once the network is up. */
  readonly slowPath?: SlowPath & { readonly links?: SlowLinks };
  readonly log?: (line: string) => void;
  readonly onProgress?: (progress: TornetProgress) => void;
  readonly signal?: AbortSignal;
}

export interface TornetProgress {
  /** 0..1 */
  readonly fraction: number;
  readonly message: string;
}

export type NodeRole = "authority" | "guard" | "middle" | "exit" | "client";

/** A tor process of the network. */
export interface NodeInfo {
  readonly nickname: string;
  readonly role: NodeRole;
  readonly pid: number;
  /** An IPv4 address, in the usual network in a /16 of its own. */
  readonly address: string;
  /** 0 at the client. */
  readonly orPort: number;
  /** Authorities only. */
  readonly dirPort?: number;
  /** 40 upper-case hex digits; empty at the client. */
  readonly rsaId: string;
  /** Unpadded base64, 43 characters; empty at the client. */
  readonly ed25519Id: string;
  readonly control: { readonly host: string; readonly port: number; readonly cookieFile: string };
  readonly dataDirectory: string;
  /** The directory holds `notice.log`. */
  readonly logFile: string;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** A name that the exits resolve to `address`. */
  readonly hostname: string;
}

export interface TornetInfo {
  readonly dir: string;
  readonly instance: number;
  readonly ownerPid: number;
  readonly scheduler: Scheduler;
  readonly torVersion: string;
  readonly consensusParams: ConsensusParams;
  /** SOCKS port of the C tor client. */
  readonly socks: { readonly host: string; readonly port: number };
  /** SOCKS port of the client with conflux, where there is one. */
  readonly confluxSocks?: { readonly host: string; readonly port: number };
  /** The destination's HTTP server; its paths are listed at the head of servers/http.ts. */
  readonly http: Endpoint & {
    /** By address, ends in "/". */
    readonly url: string;
    /** By name, ends in "/". */
    readonly namedUrl: string;
    readonly large: { readonly path: string; readonly bytes: number; readonly sha256: string };
  };
  /** The same over TLS, HTTP/2 included; WebSockets are at both (servers/websocket.ts). */
  readonly https: Endpoint & {
    readonly url: string;
    readonly namedUrl: string;
    /** PEM of the root behind its certificate, which nobody else trusts. */
    readonly root: string;
  };
  /** TCP: gives back what it is sent. */
  readonly echo: Endpoint;
  /** UDP: the resolver of the exits. */
  readonly dns: { readonly address: string; readonly port: number };
  /** Names the resolver knows for particular answers. */
  readonly names: {
    /** NXDOMAIN. */
    readonly missing: string;
    /** No answer at all. */
    readonly silent: string;
  };
  readonly keeperPid: number;
  /** The slow path's proxy, where there is one. */
  readonly slowPathPid?: number;
  readonly nodes: readonly NodeInfo[];
  /** Nicknames. */
  readonly exits: readonly string[];
  readonly guards: readonly string[];
}

export interface Tornet {
  readonly network: NetworkConfig;
  readonly info: TornetInfo;
  /** Changes the path of a network that was started with `slowPath`, for connections that are open as well. */
  setSlowPath(path: SlowPath): Promise<void>;
  /**
   * Has the authorities vote other parameters (params.ts). Settles when every relay holds a consensus with them, after two or
   * three minutes; clients that start then have them, and C tor's that runs takes its time, up to ten minutes. To start another
   * network is quicker.
   */
  setConsensusParams(params: ConsensusParams): Promise<void>;
  /** Kills these nodes: their connections are reset, and new ones refused. */
  kill(nicknames: readonly string[]): Promise<void>;
  /**
   * Starts killed nodes again, with what they had on disk. Settles when each serves the others' microdescriptors. Relays that
   * met it dead may refuse to extend to it for a minute.
   */
  revive(nicknames: readonly string[]): Promise<void>;
  /** Ends every process of the network; may be called more than once. */
  stop(): Promise<void>;
}
