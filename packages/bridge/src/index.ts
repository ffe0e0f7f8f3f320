// The public entry of @allium/bridge: the bridge as a library, and core's Dialer, Ciphers and roots for Node programs.

export type { Bridge, BridgeOptions } from "./bridge.ts";
export { createBridge } from "./bridge.ts";
export type { BridgeLimits } from "./limits.ts";
export { defaultLimits } from "./limits.ts";
export { nodeCiphers } from "./node-ciphers.ts";
export { nodeDialer } from "./node-dialer.ts";
export { nodeRoots } from "./node-roots.ts";
