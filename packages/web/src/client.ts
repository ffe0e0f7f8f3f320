// A TorClient for a page or worker in one call: webDialer, webSnapshots and webStore wired to core.

import { TorClient, type TorClientOptions } from "@allium/core";
import { badApiUsage } from "@allium/core/internal";
import { bridgesOf, dialThrough, type WebDialerOptions } from "./dialer.ts";
import { askPersistence, watchNetwork, watchPage } from "./platform.ts";
import { webSnapshots } from "./snapshots.ts";
import { webStore } from "./store.ts";
import { trustOf, type WebTrustOptions } from "./trust.ts";

export interface WebClientOptions
  extends WebDialerOptions,
    Omit<TorClientOptions, "dialer" | "store" | "snapshots" | "tls"> {
  /** Whom TLS to web servers trusts; Mozilla's roots unless told otherwise. */
  readonly tls?: WebTrustOptions;
  /** Name of the IndexedDB database; "allium" unless told otherwise. */
  readonly storeName?: string;
  /** Whether the bridges are asked for the directory's documents before Tor is; true unless told otherwise. */
  readonly snapshots?: boolean;
  /** Whether a page asks the browser to keep what is stored, once it is in use; true unless told otherwise. */
  readonly persist?: boolean;
}

/** @throws TorError `bad-api-usage` for options that cannot be */
export function createTorClient(options: WebClientOptions): TorClient {
  const {
    bridges,
    token,
    storeName = "allium",
    snapshots = true,
    persist = true,
    tls = {},
    ...rest
  } = options;
  for (const [name, value] of Object.entries({ snapshots, persist })) {
    if (typeof value !== "boolean")
      throw badApiUsage("ALLIUM_E_BAD_OPTIONS", `TorClient: ${name} must be true or false`);
  }
  const shared = bridgesOf({ bridges, ...(token !== undefined && { token }) });
  const client = new TorClient({
    ...rest,
    tls: trustOf(tls),
    ...(snapshots && { snapshots: webSnapshots({ bridges, first: () => shared.current }) }),
    dialer: dialThrough(shared),
    store: webStore(storeName),
  });
  watchNetwork(client);
  watchPage(client);
  if (persist) askPersistence(client);
  return client;
}
