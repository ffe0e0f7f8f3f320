// Serves the page of the worker tests and the worker's script under the strict Content-Security-Policy that Allium promises
// to work with.

import { type ScriptSite, startScriptSite, strictPolicy } from "./script-site.ts";

/** @param bridge the one server that the policy allows scripts to connect to */
export function startWorkerSite(bridge: string): Promise<ScriptSite> {
  return startScriptSite({
    scripts: {
      "/page.js": "packages/web/test/browser/worker-page.ts",
      "/worker.js": "packages/web/src/worker.ts",
    },
    policy: strictPolicy(bridge),
  });
}
