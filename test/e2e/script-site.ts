// A site for browser tests: one page with one module script, and files beside it, under the Content-Security-Policy given.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

export interface ScriptSiteOptions {
  /** Entry points by the path that they are served at, bundled as an embedder's bundler would; "/page.js" is the page's. */
  readonly scripts: Readonly<Record<string, string>>;
  /** Served at "/page.css". */
  readonly css?: string;
  /** Other files by path. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly policy: string;
  readonly build?: BuildOptions;
}

export interface ScriptSite {
  readonly url: string;
  close(): void;
}

/** The path of a file of this repository. */
export function sourceFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

async function bundle(entry: string, more: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    ...{ entryPoints: [sourceFile(entry)], bundle: true, minify: true, format: "esm", target: "es2022" },
    conditions: ["@allium/source"],
    ...more,
    write: false,
  });
  return outputFiles?.[0]?.text ?? "";
}

const HTML = `<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>test</title>
<link rel="icon" href="page.svg">
<link rel="stylesheet" href="page.css">
<script type="module" src="page.js"></script>
<body></body>
</html>
`;

export async function startScriptSite(options: ScriptSiteOptions): Promise<ScriptSite> {
  const files = new Map<string, readonly [string, string | Uint8Array]>([
    ["/", ["text/html", HTML]],
    ["/page.css", ["text/css", options.css ?? ""]],
    ["/page.svg", ["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>']],
  ]);
  for (const [path, entry] of Object.entries(options.scripts))
    files.set(path, ["text/javascript", await bundle(entry, options.build)]);
  for (const [path, bytes] of Object.entries(options.files ?? {}))
    files.set(path, ["application/octet-stream", bytes]);
  const server = createServer((request, response) => {
    const [type, text] = files.get(new URL(request.url ?? "/", "http://site.invalid").pathname) ?? [];
    response.writeHead(text === undefined ? 404 : 200, {
      "content-security-policy": options.policy,
      "content-type": `${type ?? "text/plain"}; charset=utf-8`,
    });
    response.end(text ?? "");
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

/** The policy that Allium promises to work with. @param bridge the one server that scripts may connect to */
export function strictPolicy(bridge: string): string {
  const { origin } = new URL(bridge);
  const own = ["script", "style", "worker", "img"].map((kind) => `${kind}-src 'self'`);
  return `default-src 'none'; ${own.join("; ")}; connect-src 'self' ${origin} ${origin.replace(/^ws/, "http")}`;
}
