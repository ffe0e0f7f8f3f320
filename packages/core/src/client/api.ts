// What a client offers, apart from where it runs: TorClient has it, and so has a client in a worker (@allium/web/remote).

import type { TypedEvents } from "../base/events.ts";
import type { LogEvent } from "../base/ports.ts";
import type { ResolvedAddress } from "../circuit/api.ts";
import type { TorFetchInit } from "../net/fetch.ts";
import type { TorSocket, TorSocketOptions } from "../net/socket.ts";
import type { GuardEvent } from "../path/guards.ts";
import type { CircuitInfo } from "../path/registry.ts";
import type { Guards } from "./guards.ts";
import type { ClientStats } from "./stats.ts";
import type { ClientStatus } from "./status.ts";
import type { StreamInfo } from "./stream-opener.ts";

/** Where a socket goes: `"host:port"`, `"[ipv6]:port"`, or both apart. */
export type SocketAddress = string | { hostname: string; port: number };

export interface ResolveOptions {
  readonly signal?: AbortSignal;
  /** Requests with different keys share no circuit. */
  readonly isolation?: string;
}

/** The client's events; the value is in `event.detail`. None carries a destination. */
export interface TorClientEvents {
  status: ClientStatus;
  /** A circuit is being built, is open, or is gone. */
  circuit: CircuitInfo;
  stream: StreamInfo;
  guard: GuardEvent;
  /** Log lines of level `info` and above; the `log` option gets all of them. */
  log: LogEvent;
}

/** What opens streams and resolves names; see TorView. */
export interface TorViewLike {
  fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response>;
  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket;
  resolve(hostname: string, options?: ResolveOptions): Promise<ResolvedAddress[]>;
  isolate(key: string): TorViewLike;
}

/** A client in this thread or in another one; see TorClient. */
export interface TorClientLike extends TorViewLike, TypedEvents<TorClientEvents> {
  readonly guards: Pick<Guards, "export" | "import" | "reset">;
  readonly status: ClientStatus;
  ready(options?: { readonly signal?: AbortSignal }): Promise<void>;
  newIdentity(): void;
  circuits(): CircuitInfo[];
  /** At once in this thread, later from another one: `await` fits both. */
  stats(): ClientStats | Promise<ClientStats>;
  close(): Promise<void>;
}
