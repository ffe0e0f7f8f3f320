// The public entry of @allium/web: the browser's Dialer, SnapshotSource and Store, and a client on them.

export type { WebClientOptions } from "./client.ts";
export { createTorClient } from "./client.ts";
export type { WebDialerOptions } from "./dialer.ts";
export { webDialer } from "./dialer.ts";
export type { WebSnapshotsOptions } from "./snapshots.ts";
export { webSnapshots } from "./snapshots.ts";
export { webStore } from "./store.ts";
