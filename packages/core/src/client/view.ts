// What opens streams and resolves names: the client itself, and views of it with circuits of their own (isolation, proposal 171).

import { badApiUsage } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { ResolvedAddress } from "../circuit/api.ts";
import type { NameResolver, StreamOpener } from "../net/api.ts";
import { type TorFetchInit, torFetch } from "../net/fetch.ts";
import { parseDestination } from "../net/host.ts";
import { connect, type TorSocket, type TorSocketOptions } from "../net/socket.ts";
import type { TorWebSocketConstructor } from "../net/websocket/api.ts";
import { openThrough } from "../net/websocket/connection.ts";
import { makeWebSocket } from "../net/websocket/websocket.ts";
import type { ResolveOptions, SocketAddress, TorViewLike } from "./api.ts";

/** Streams opened through one view share circuits only among themselves. */
export class TorView implements TorViewLike {
  /** The web's `WebSocket`, over Tor. */
  readonly WebSocket: TorWebSocketConstructor;
  readonly #opener: StreamOpener & NameResolver;
  readonly #keys: readonly string[];
  readonly #isolated: StreamOpener & NameResolver;
  readonly #clock: Clock;

  /** @param keys the isolation keys of the views that this one is within, the outermost first */
  constructor(opener: StreamOpener & NameResolver, keys: readonly string[], clock: Clock) {
    this.#opener = opener;
    this.#keys = keys;
    this.#clock = clock;
    // As JSON, so that no two lists of keys read the same.
    const within = (isolation: string | undefined) => JSON.stringify([keys, isolation ?? null]);
    this.#isolated = {
      openStream: (request) => opener.openStream({ ...request, isolation: within(request.isolation) }),
      resolve: (request) => opener.resolve({ ...request, isolation: within(request.isolation) }),
    };
    this.WebSocket = makeWebSocket({ open: openThrough(this.#isolated), clock });
  }

  /** `fetch` over Tor. @throws a TypeError with `kind` and `code`, or the signal's reason */
  fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response> {
    return torFetch(this.#isolated, input, init, { clock: this.#clock });
  }

  /** A TCP connection over Tor, as in the WinterTC sockets API. */
  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket {
    return connect(this.#isolated, address, options);
  }

  /**
   * The addresses of a host name as an exit resolves it, at least one; none is internal on the public network. An IP
   * literal is its own answer, with a TTL of 0. @throws TorError
   */
  async resolve(hostname: string, options: ResolveOptions = {}): Promise<ResolvedAddress[]> {
    // The port only makes it a destination.
    const { hostname: name } = parseDestination({ hostname, port: 443 });
    return this.#isolated.resolve({ ...options, hostname: name });
  }

  /** A view within this one. Equal keys give the same circuits. @throws TorError `bad-api-usage` */
  isolate(key: string): TorView {
    return new TorView(this.#opener, nestedKeys(this.#keys, key), this.#clock);
  }
}

/** The keys of a view within a view. @throws TorError `bad-api-usage` */
export function nestedKeys(keys: readonly string[], key: string): string[] {
  if (typeof key !== "string" || key === "")
    throw badApiUsage("ALLIUM_E_BAD_ISOLATION_KEY", "an isolation key is a text that is not empty");
  return [...keys, key];
}
