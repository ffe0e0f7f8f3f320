// A TorClient for a page or worker in one call: webDialer and webStore wired to core.

import { TorClient, type TorClientOptions } from "@allium/core";
import { type WebDialerOptions, webDialer } from "./dialer.ts";
import { webStore } from "./store.ts";

export interface WebClientOptions extends WebDialerOptions, Omit<TorClientOptions, "dialer" | "store"> {
  /** Name of the IndexedDB database; "allium" unless told otherwise. */
  readonly storeName?: string;
}

/** @throws TorError `bad-api-usage` for options that cannot be */
export function createTorClient(options: WebClientOptions): TorClient {
  const { bridges, token, storeName = "allium", ...rest } = options;
  const dialer = webDialer({
    bridges,
    ...(token !== undefined && { token }),
  });
  return new TorClient({ ...rest, dialer, store: webStore(storeName) });
}
