// A client's port between two origins: what goes over it, and how little of a client it reaches.

import type { ClientStatus, TorClientEvents, TorClientLike, TorFetchInit, TorViewLike } from "@allium/core";
import { badApiUsage, TypedEventTarget } from "@allium/core/internal";
import type { PortLike } from "../remote/index.ts";

/**
 * Without word of Web Locks, by which the two ends would otherwise know that the other is there: those of another origin are not
 * seen, and what is not seen would count as gone.
 */
export function portAcrossOrigins(port: MessagePort): PortLike {
  return {
    postMessage: (message, transfer) => {
      if ((message as { type?: unknown }).type !== "alive") port.postMessage(message, transfer);
    },
    addEventListener: (type, listener) => port.addEventListener(type, listener),
    removeEventListener: (type, listener) => port.removeEventListener(type, listener),
    start: () => port.start(),
    close: () => port.close(),
  };
}

/** A client that only fetches: the site's origin gets neither circuits nor guards nor sockets to see. */
export class FetchOnlyClient extends TypedEventTarget<TorClientEvents> implements TorClientLike {
  readonly status: ClientStatus = { fraction: 1, phase: "ready", ready: true };
  readonly guards = { export: refuse, import: refuse, reset: refuse };
  readonly ready = refuse;
  readonly resolve = refuse;
  readonly stats = refuse;
  readonly check = refuse;
  readonly diagnose = refuse;
  readonly #fetch: TorViewLike["fetch"];

  constructor(fetch: TorViewLike["fetch"]) {
    super();
    this.#fetch = fetch;
  }

  /** Under the key of the site alone. */
  fetch(input: string | URL | Request, { isolation: _, ...init }: TorFetchInit = {}): Promise<Response> {
    return this.#fetch(input, init);
  }

  get WebSocket(): never {
    throw refusal();
  }
  connect(): never {
    throw refusal();
  }
  isolate(): never {
    throw refusal();
  }
  circuits(): [] {
    return [];
  }
  newIdentity(): void {}
  networkChanged(): void {}
  resumed(): void {}
  async close(): Promise<void> {}
}

function refusal() {
  return badApiUsage("ALLIUM_E_VIEWER_PORT", "this port serves fetch only");
}

async function refuse(): Promise<never> {
  throw refusal();
}
