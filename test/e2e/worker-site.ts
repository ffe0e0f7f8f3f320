// Serves the page of the worker tests and the worker's script, as an embedder's bundler would leave them, under the strict
// Content-Security-Policy that Allium promises to work with.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PAGE = fileURLToPath(new URL("../../packages/web/test/browser/worker-page.ts", import.meta.url));
const WORKER = fileURLToPath(new URL("../../packages/web/src/worker.ts", import.meta.url));

export interface WorkerSite {
  readonly url: string;
  close(): void;
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    ...{ entryPoints: [entry], bundle: true, minify: true, format: "esm", target: "es2022", write: false },
    conditions: ["@allium/source"],
  });
  return outputFiles[0]?.text ?? "";
}

/** @param bridge the one server that the policy allows scripts to connect to */
export async function startWorkerSite(bridge: string): Promise<WorkerSite> {
  const { origin } = new URL(bridge);
  const scripts = new Map([
    ["/page.js", await bundle(PAGE)],
    ["/worker.js", await bundle(WORKER)],
  ]);
  const policy = `default-src 'none'; script-src 'self'; worker-src 'self'; img-src 'self'; connect-src 'self' ${origin} ${origin.replace(/^ws/, "http")}`;
  const server = createServer((request, response) => {
    const script = scripts.get(request.url ?? "");
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
