// What a private network is asked for and what it tells about itself. `info.json` is a TornetInfo.

import type { NetworkConfig } from "@allium/core";

/** tor's cell scheduler: its default, or the one without 2 ms ticks. */
export type Scheduler = "KIST" | "Vanilla";

export interface TornetOptions {
  /** Where everything is written. Default: `.cache/tornet/run-N` with N the instance's number. */
  readonly dir?: string;
  readonly scheduler?: Scheduler;
  readonly log?: (line: string) => void;
  readonly onProgress?: (progress: TornetProgress) => void;
  readonly signal?: AbortSignal;
}

export interface TornetProgress {
  /** 0..1 */
  readonly fraction: number;
  readonly message: string;
}

export type NodeRole = "authority" | "guard" | "exit" | "client";

/** A tor process of the network. */
export interface NodeInfo {
  readonly nickname: string;
  readonly role: NodeRole;
  readonly pid: number;
  /** An IPv4 address in a /16 of its own. */
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
  /** SOCKS port of the C tor client. */
  readonly socks: { readonly host: string; readonly port: number };
  /** The destination's HTTP server; its paths are listed at the head of servers/http.ts. */
  readonly http: Endpoint & {
    /** By address, ends in "/". */
    readonly url: string;
    /** By name, ends in "/". */
    readonly namedUrl: string;
    readonly large: { readonly path: string; readonly bytes: number; readonly sha256: string };
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
  readonly nodes: readonly NodeInfo[];
  /** Nicknames. */
  readonly exits: readonly string[];
  readonly guards: readonly string[];
}

export interface Tornet {
  readonly network: NetworkConfig;
  readonly info: TornetInfo;
  /** Ends every process of the network; may be called more than once. */
  stop(): Promise<void>;
}
