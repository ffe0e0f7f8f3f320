// What opens streams and resolves names: the client itself, and views of it with circuits of their own (isolation, proposal 171).

import { badApiUsage } from "../base/errors.ts";
import type { ResolvedAddress } from "../circuit/api.ts";
import type { NameResolver, SocketOpener, StreamOpener } from "../net/api.ts";
import type { Fetcher, TorFetchInit } from "../net/fetch.ts";
import { TorFetchError } from "../net/fetch-error.ts";
import { parseDestination } from "../net/host.ts";
import { SecureStreams, type TlsSettings } from "../net/secure.ts";
import { connect } from "../net/socket.ts";
import type { TorSocket, TorSocketOptions } from "../net/socket-api.ts";
import type { TorWebSocketConstructor } from "../net/websocket/api.ts";
import { openThrough } from "../net/websocket/connection.ts";
import { makeWebSocket } from "../net/websocket/websocket.ts";
import type { ResolveOptions, SocketAddress, TorViewLike } from "./api.ts";

/** What all views of a client have in common. */
export interface ViewParts {
  readonly opener: StreamOpener & NameResolver;
  readonly tls: TlsSettings;
  readonly fetcher: Fetcher;
}

/** Streams opened through one view share circuits only among themselves. */
export class TorView implements TorViewLike {
  /** The web's `WebSocket`, over Tor. */
  readonly WebSocket: TorWebSocketConstructor;
  readonly #parts: ViewParts;
  readonly #keys: readonly string[];
  readonly #streams: SocketOpener;

  /** @param keys the isolation keys of the views that this one is within, the outermost first */
  constructor(parts: ViewParts, keys: readonly string[]) {
    const { opener, tls } = parts;
    this.#parts = parts;
    this.#keys = keys;
    const openStream: StreamOpener["openStream"] = (request) =>
      opener.openStream({ ...request, isolation: this.#within(request.isolation) });
    this.#streams = new SecureStreams({ openStream }, tls);
    this.WebSocket = makeWebSocket({ open: openThrough(this.#streams), clock: tls.clock });
  }

  /** `fetch` over Tor. @throws a TypeError with `kind` and `code`, or the signal's reason */
  async fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response> {
    return this.#parts.fetcher.fetch(input, init, this.#within(init?.isolation));
  }

  /** A TCP connection over Tor, with TLS or without, as in the WinterTC sockets API. */
  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket {
    return connect(this.#streams, address, options);
  }

  /**
   * The addresses of a host name as an exit resolves it, at least one; none is internal on the public network. An IP
   * literal is its own answer, with a TTL of 0. @throws TorError
   */
  async resolve(hostname: string, options: ResolveOptions = {}): Promise<ResolvedAddress[]> {
    // The port only makes it a destination.
    const { hostname: name } = parseDestination({ hostname, port: 443 });
    const isolation = this.#within(options.isolation);
    return this.#parts.opener.resolve({ ...options, hostname: name, isolation });
  }

  /** A view within this one. Equal keys give the same circuits. @throws TorError `bad-api-usage` */
  isolate(key: string): TorView {
    return new TorView(this.#parts, nestedKeys(this.#keys, key));
  }

  /** As JSON, so that no two lists of keys read the same; of anything but text it could lose what tells them apart. */
  #within(isolation: string | undefined): string {
    if (typeof (isolation ?? "") !== "string")
      throw new TorFetchError(badApiUsage("ALLIUM_E_BAD_ISOLATION_KEY", "an isolation key is a text"));
    return JSON.stringify([this.#keys, isolation ?? null]);
  }
}

/** The keys of a view within a view. @throws TorError `bad-api-usage` */
export function nestedKeys(keys: readonly string[], key: string): string[] {
  if (typeof key !== "string" || key === "")
    throw badApiUsage("ALLIUM_E_BAD_ISOLATION_KEY", "an isolation key is a text that is not empty");
  return [...keys, key];
}
