// A bridge in a process of its own, so that its CPU time can be told from others'. Started with a NetworkConfig; tells its URL.

import { createBridge } from "@allium/bridge";
import type { NetworkConfig } from "@allium/core";
import { serve, startOf } from "./serve.ts";

const bridge = createBridge({ network: startOf<NetworkConfig>(), listen: { host: "127.0.0.1", port: 0 } });
const url = await bridge.listen();
await bridge.ready;
serve(async () => null, url);
