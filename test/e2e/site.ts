// What the tests of service workers share: scripts as an embedder's bundler would leave them, a server for them under a strict
// policy, and calls of what a page's script offers as `testPage`.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright-core";

const ROOT = new URL("../../", import.meta.url);
const options = {
  ...({ bundle: true, minify: true, target: "es2022", write: false } as const),
  conditions: ["@allium/source"],
};

/** A module below the repository, as one script. */
export async function bundleFile(path: string, format: "esm" | "iife" = "esm"): Promise<string> {
  const entryPoints = [fileURLToPath(new URL(path, ROOT))];
  return (await build({ ...options, entryPoints, format })).outputFiles[0]?.text ?? "";
}

/** A module's text, as one script. */
export async function bundleText(contents: string): Promise<string> {
  const stdin = {
    contents,
    loader: "ts" as const,
    resolveDir: fileURLToPath(new URL("packages/web/", ROOT)),
  };
  return (await build({ ...options, stdin, format: "iife" })).outputFiles[0]?.text ?? "";
}

export interface Served {
  readonly status?: number;
  readonly body: string;
  readonly type: "text/html" | "text/javascript" | "text/plain";
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Site {
  readonly port: number;
  /** Host and path of every request that arrived. */
  readonly requests: string[];
  close(): void;
}

/** A server on every address of loopback. */
export async function startSite(respond: (host: string, path: string) => Served | undefined): Promise<Site> {
  const requests: string[] = [];
  const server = createServer(({ headers, url = "/" }: IncomingMessage, response) => {
    const { pathname } = new URL(url, "http://site.invalid");
    requests.push(`${headers.host} ${pathname}`);
    const served = respond((headers.host ?? "").replace(/:\d+$/, ""), pathname);
    const {
      status = 200,
      body,
      type,
      headers: more,
    } = served ?? { status: 404, body: "", type: "text/plain" as const };
    response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...more }).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, "0.0.0.0", listening));
  return {
    ...{ port: (server.address() as AddressInfo).port, requests },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Calls a function of the page's script. */
export function callPage<T extends object, K extends keyof T & string>(
  page: Page,
  name: K,
  ...args: T[K] extends (...all: infer A) => unknown ? A : never
): Promise<T[K] extends (...all: never[]) => infer R ? Awaited<R> : never> {
  return page.evaluate(
    ([method, given]) => {
      const { testPage } = globalThis as unknown as {
        testPage: Record<string, (...all: unknown[]) => unknown>;
      };
      return testPage[method]?.(...(given as unknown[]));
    },
    [name, args] as const,
  ) as never;
}
