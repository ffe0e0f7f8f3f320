// A TorClient for a page or worker in one call: webDialer, webSnapshots and webStore wired to core.

import { TorClient, type TorClientOptions } from "@allium/core";
import { badApiUsage } from "@allium/core/internal";
import { type WebDialerOptions, webDialer } from "./dialer.ts";
import { webSnapshots } from "./snapshots.ts";
import { webStore } from "./store.ts";

export interface WebClientOptions
  extends WebDialerOptions,
    Omit<TorClientOptions, "dialer" | "store" | "snapshots"> {
  /** Name of the IndexedDB database; "allium" unless told otherwise. */
  readonly storeName?: string;
  /** Whether the bridges are asked for the directory's documents before Tor is; true unless told otherwise. */
  readonly snapshots?: boolean;
}

/** @throws TorError `bad-api-usage` for options that cannot be */
export function createTorClient(options: WebClientOptions): TorClient {
  const { bridges, token, storeName = "allium", snapshots = true, ...rest } = options;
  if (typeof snapshots !== "boolean")
    throw badApiUsage("ALLIUM_E_BAD_OPTIONS", "TorClient: snapshots must be true or false");
  const dialer = webDialer({
    bridges,
    ...(token !== undefined && { token }),
  });
  return new TorClient({
    ...rest,
    ...(snapshots && { snapshots: webSnapshots({ bridges }) }),
    dialer,
    store: webStore(storeName),
  });
}
