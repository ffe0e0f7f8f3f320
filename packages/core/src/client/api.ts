// What a client offers, apart from where it runs: TorClient has it, and so has a client in a worker (@allium/web/remote).

import type { TypedEvents } from "../base/events.ts";
import type { LogEvent } from "../base/ports.ts";
import type { ResolvedAddress } from "../circuit/api.ts";
import type { TorFetchInit } from "../net/fetch.ts";
import type { TorSocket, TorSocketOptions } from "../net/socket.ts";
import type { TorWebSocketConstructor } from "../net/websocket/api.ts";
import type { BridgeSuspicion } from "../path/bridge-watch.ts";
import type { GuardEvent } from "../path/guards/sample.ts";
import type { CircuitInfo } from "../path/registry.ts";
import type { CheckOptions, CheckResult } from "./check.ts";
import type { DiagnoseOptions, Diagnosis } from "./diagnose.ts";
import type { Guards } from "./guards.ts";
import type { Metric } from "./metrics.ts";
import type { ClientStats } from "./stats.ts";
import type { ClientStatus } from "./status.ts";
import type { StreamInfo } from "./stream-opener.ts";

/** Where a socket goes: `"host:port"`, `"[ipv6]:port"`, or both apart. */
export type SocketAddress = string | { hostname: string; port: number };

/** How `resolve` asks. */
export interface ResolveOptions {
  /** Gives up when it aborts, with its reason. */
  readonly signal?: AbortSignal;
  /** Requests with different keys share no circuit. */
  readonly isolation?: string;
}

/** The client's events; the value is in `event.detail`. None carries a destination. */
export interface TorClientEvents {
  /** How far the client is, or why it does not get on. */
  status: ClientStatus;
  /** A circuit is being built, is open, or is gone. */
  circuit: CircuitInfo;
  /** A stream is being opened, is open, or is gone. */
  stream: StreamInfo;
  /** A guard was sampled, confirmed, dropped. */
  guard: GuardEvent;
  /** More guards failed through a bridge than chance explains: it may be steering. The client goes through another one. */
  bridge: BridgeSuspicion;
  /** A figure for a metrics system (docs/metrics.md). Made from the first listener on, and not before. */
  metric: Metric;
  /** Log lines of level `info` and above; the `log` option gets all of them. */
  log: LogEvent;
}

/** What opens streams and resolves names; see TorView. */
export interface TorViewLike {
  /** The web's `WebSocket`, over Tor; its `error` events say what went wrong. */
  readonly WebSocket: TorWebSocketConstructor;
  /** `fetch` over Tor (Fetch standard 5.6). @throws TypeError with `kind` and `code`, or the signal's reason */
  fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response>;
  /** A TCP connection over Tor, as in the WinterTC sockets API; failures settle its promises, with TorErrors. */
  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket;
  /** The addresses of a host name as an exit resolves it (tor-spec 6.4), at least one. @throws TorError */
  resolve(hostname: string, options?: ResolveOptions): Promise<ResolvedAddress[]>;
  /** A view within this one with circuits of its own. @throws TorError `bad-api-usage` */
  isolate(key: string): TorViewLike;
}

/** A client in this thread or in another one; see TorClient. */
export interface TorClientLike extends TorViewLike, TypedEvents<TorClientEvents> {
  /** The guards that the client keeps, as JSON to be stored elsewhere (guard-spec). */
  readonly guards: Pick<Guards, "export" | "import" | "reset">;
  readonly status: ClientStatus;
  /** Settles when streams can be opened; begins what is needed for it. @throws TorError that says why not */
  ready(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** New streams go onto new circuits from now on. */
  newIdentity(): void;
  /** The device has another network than before, or one again. */
  networkChanged(): void;
  /** The device or the page may have slept. */
  resumed(): void;
  /**
   * Whether a site that knows Tor's exits sees one, and which. On a circuit of its own.
   * @throws a TypeError of `fetch`; TorError `remote-refused` for an answer that is none; or the signal's reason
   */
  check(options?: CheckOptions): Promise<CheckResult>;
  /** Tries each layer up to a site and names the one that fails. @throws TorError `aborted` or `bad-api-usage` alone */
  diagnose(options?: DiagnoseOptions): Promise<Diagnosis>;
  /** Circuits being built and open. */
  circuits(): CircuitInfo[];
  /** At once in this thread, later from another one: `await` fits both. */
  stats(): ClientStats | Promise<ClientStats>;
  /** Ends all streams, circuits and links. */
  close(): Promise<void>;
}
