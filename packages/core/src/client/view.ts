// What opens streams and resolves names: the client itself, and views of it with circuits of their own (isolation, proposal 171).

import { badApiUsage } from "../base/errors.ts";
import type { ResolvedAddress } from "../circuit/api.ts";
import type { NameResolver, StreamOpener } from "../net/api.ts";
import type { Fetcher, TorFetchInit } from "../net/fetch.ts";
import { parseDestination } from "../net/host.ts";
import { connect, type TorSocket, type TorSocketOptions } from "../net/socket.ts";
import type { ResolveOptions, SocketAddress, TorViewLike } from "./api.ts";

/** Streams opened through one view share circuits only among themselves. */
export class TorView implements TorViewLike {
  readonly #opener: StreamOpener & NameResolver;
  readonly #keys: readonly string[];
  readonly #isolated: StreamOpener & NameResolver;
  readonly #fetcher: Fetcher;

  /**
   * @param fetcher fetches for all views of the client
   * @param keys the isolation keys of the views that this one is within, the outermost first
   */
  constructor(opener: StreamOpener & NameResolver, fetcher: Fetcher, keys: readonly string[]) {
    this.#opener = opener;
    this.#fetcher = fetcher;
    this.#keys = keys;
    this.#isolated = {
      openStream: (request) => opener.openStream({ ...request, isolation: this.#within(request.isolation) }),
      resolve: (request) => opener.resolve({ ...request, isolation: this.#within(request.isolation) }),
    };
  }

  /** `fetch` over Tor. @throws a TypeError with `kind` and `code`, or the signal's reason */
  fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response> {
    return this.#fetcher.fetch(input, init, this.#within(init?.isolation));
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
    return new TorView(this.#opener, this.#fetcher, nestedKeys(this.#keys, key));
  }

  /** As JSON, so that no two lists of keys read the same. */
  #within(isolation: string | undefined): string {
    return JSON.stringify([this.#keys, isolation ?? null]);
  }
}

/** The keys of a view within a view. @throws TorError `bad-api-usage` */
export function nestedKeys(keys: readonly string[], key: string): string[] {
  if (typeof key !== "string" || key === "")
    throw badApiUsage("ALLIUM_E_BAD_ISOLATION_KEY", "an isolation key is a text that is not empty");
  return [...keys, key];
}
