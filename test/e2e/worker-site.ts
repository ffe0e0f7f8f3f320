// Serves a test's page and its workers' scripts, as an embedder's bundler would leave them, under the strict
// Content-Security-Policy that Allium promises to work with.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PAGE = fileURLToPath(new URL("../../packages/web/test/browser/worker-page.ts", import.meta.url));
const WORKER = fileURLToPath(new URL("../../packages/web/src/worker.ts", import.meta.url));

export interface Site {
  readonly url: string;
  close(): void;
}

/** A file of `packages/web` with all that it imports. */
export async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    ...{ entryPoints: [entry], bundle: true, minify: true, format: "esm", target: "es2022", write: false },
    conditions: ["@allium/source"],
  });
  return outputFiles[0]?.text ?? "";
}

export async function startWorkerSite(bridge: string): Promise<Site> {
  return startSite(bridge, { "/page.js": await bundle(PAGE), "/worker.js": await bundle(WORKER) });
}

/**
 * @param bridge the one server that the policy allows scripts to connect to
 * @param scripts by their paths; every other path is the page, which runs `/page.js`
 */
export async function startSite(bridge: string, scripts: Readonly<Record<string, string>>): Promise<Site> {
  const { origin } = new URL(bridge);
  const policy = `default-src 'none'; script-src 'self'; worker-src 'self'; img-src 'self'; connect-src 'self' ${origin} ${origin.replace(/^ws/, "http")}`;
  const server = createServer((request, response) => {
    const script = scripts[request.url ?? ""];
    response.writeHead(request.url === "/favicon.ico" ? 204 : 200, {
      "content-security-policy": policy,
      "content-type": script === undefined ? "text/html" : "text/javascript",
    });
    response.end(
      script ?? '<!doctype html><title>worker</title><script type="module" src="page.js"></script>',
    );
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
