// What the tests of the shared client give to each page, worker and service worker of their site, before its script.

import type { SharedClientOptions } from "@allium/web/shared";

export interface SharedConfig extends Pick<SharedClientOptions, "bridges" | "network" | "storeName"> {}

export const config = (globalThis as unknown as { sharedConfig: SharedConfig }).sharedConfig;
