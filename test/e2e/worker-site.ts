// Serves the page of the worker tests and the worker's script under the strict Content-Security-Policy that Allium promises
// to work with.

import { type ScriptSite, startScriptSite } from "./script-site.ts";

/** @param bridge the one server that the policy allows scripts to connect to */
export function startWorkerSite(bridge: string): Promise<ScriptSite> {
  const { origin } = new URL(bridge);
  return startScriptSite({
    scripts: {
      "/page.js": "packages/web/test/browser/worker-page.ts",
      "/worker.js": "packages/web/src/worker.ts",
    },
    policy: `default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; img-src 'self'; connect-src 'self' ${origin} ${origin.replace(/^ws/, "http")}`,
  });
}
