// What the tests of the demo page share: the built page on its server, with a bridge to the private network.

import { join } from "node:path";
import { createBridge } from "@allium/bridge";
import { build as buildPage } from "vite";
import { inject } from "vitest";
import type { DemoNetwork } from "../../packages/web/demo/config.ts";
import { type DemoServer, startDemoServer } from "../../scripts/demo-server.ts";
import { ROOT } from "../repo/files.ts";

export type Demo = DemoServer;

export const SCREENSHOTS = join(ROOT, "test-results");

export async function startDemo(): Promise<Demo> {
  const [network, info] = [inject("network"), inject("info")];
  await buildPage({ configFile: join(ROOT, "packages/web/demo/vite.config.ts") });
  const bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
  const url = await bridge.listen();
  await bridge.ready;
  const chosen: DemoNetwork = {
    ...{ id: "private", label: "Private network", bridges: [url], network },
    suggestions: [info.http.url, `${info.http.namedUrl}headers`, info.http.namedUrl],
    echoes: [info.http, info.https].map(({ namedUrl }) => `${namedUrl.replace("http", "ws")}echo`),
    ...{ whoami: `${info.http.namedUrl}whoami`, anchors: [info.https.root] },
  };
  const publicNetwork: DemoNetwork = {
    ...{ id: "public", label: "Public Tor network", bridges: ["ws://127.0.0.1:1/"] },
    ...{ suggestions: [], echoes: [], whoami: "" },
  };
  const server = await startDemoServer({ port: 0, config: { networks: [chosen, publicNetwork] } });
  return {
    url: server.url,
    close: async () => {
      await server.close();
      await bridge.close();
    },
  };
}
