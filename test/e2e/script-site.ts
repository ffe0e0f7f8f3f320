// A site with one page of one script, and the worker's script beside it, as an embedder's bundler would leave them, under the
// strict Content-Security-Policy that Allium promises to work with.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../repo/files.ts";

export interface ScriptSite {
  readonly url: string;
  close(): void;
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    ...{ entryPoints: [join(ROOT, entry)], bundle: true, minify: true, format: "esm", target: "es2022" },
    ...{ write: false, conditions: ["@allium/source"] },
  });
  return outputFiles[0]?.text ?? "";
}

/**
 * @param script of the page, in the repository
 * @param bridge the one server that the policy allows scripts to connect to
 */
export async function startScriptSite(script: string, bridge: string): Promise<ScriptSite> {
  const { origin } = new URL(bridge);
  const files = new Map<string, string | Uint8Array>([
    ["/page.js", await bundle(script)],
    ["/worker.js", await bundle("packages/web/src/worker.ts")],
    ["/roots.bin", readFileSync(join(ROOT, "packages/core/data/roots.bin"))],
  ]);
  const policy = `default-src 'none'; script-src 'self'; worker-src 'self'; img-src 'self'; connect-src 'self' ${origin} ${origin.replace(/^ws/, "http")}`;
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? "");
    const type = request.url?.endsWith(".js") ? "text/javascript" : "application/octet-stream";
    response.writeHead(request.url === "/favicon.ico" ? 204 : 200, {
      "content-security-policy": policy,
      "content-type": file === undefined ? "text/html" : type,
    });
    response.end(file ?? '<!doctype html><title>page</title><script type="module" src="page.js"></script>');
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
