// The public entry of @allium/web: the browser's Dialer and Store, and a client on both.

export type { WebClientOptions } from "./client.ts";
export { createTorClient } from "./client.ts";
export type { WebDialerOptions } from "./dialer.ts";
export { webDialer } from "./dialer.ts";
export { webStore } from "./store.ts";
