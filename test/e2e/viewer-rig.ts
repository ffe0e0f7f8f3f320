// What the viewer's tests share: a page with a client, hosts for sites, a target that tells who came, and one document that
// tries every way out that we know of.

import { type Bridge, createBridge } from "@allium/bridge";
import type { Page } from "playwright-core";
import { expect, inject } from "vitest";
import type { ViewerPage } from "../../packages/web/test/browser/viewer-page.ts";
import { bundleFile, callPage, type Served, type Site, startSite } from "./site.ts";
import { startTarget, type Target, type Visit } from "./target.ts";

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface ViewerRig {
  readonly site: Site;
  readonly target: Target;
  readonly pageUrl: string;
  readonly options: { bridges: string[]; network: unknown; storeName: string };
  close(): Promise<void>;
}

/** Sites are shown below it: another origin, the same site, so that blocked third-party storage does not block their workers. */
const PAGE_HOST = "app.localhost";
const HTML = { "content-type": "text/html" };
const FILES: Readonly<Record<string, string>> = {
  "/allium-frame.js": "packages/web/src/viewer/frame.ts",
  "/allium-worker.js": "packages/web/src/viewer/worker.ts",
  "/page.js": "packages/web/test/browser/viewer-page.ts",
};

/**
 * @param answer what the target says, by host and path
 * @param plain further pages beside the embedding one, by path
 */
export async function startViewerRig(
  answer: (visit: Visit) => Answer,
  plain: Readonly<Record<string, () => Served>> = {},
): Promise<ViewerRig> {
  const network = inject("network");
  const target = await startTarget(inject("info"), (visit, response) => {
    const { status = 200, headers = HTML, body = "" } = answer(visit);
    response.writeHead(status, headers).end(body);
  });
  const bridge: Bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
  const bridgeUrl = await bridge.listen();
  await bridge.ready;
  const scripts = new Map<string, string>();
  for (const [path, file] of Object.entries(FILES)) scripts.set(path, await bundleFile(file, "iife"));
  const { origin } = new URL(bridgeUrl);
  const site: Site = await startSite(
    (host, path) => plain[path]?.() ?? serve(host, path, scripts, origin, () => site.port),
  );
  return {
    ...{ site, target, pageUrl: `http://${PAGE_HOST}:${site.port}/` },
    options: { bridges: [bridgeUrl], network, storeName: "viewer" },
    close: async () => {
      site.close();
      target.close();
      await bridge.close();
    },
  };
}

/** The embedding page at its host and, at every other host, the viewer's files, as docs/viewer.md says. */
function serve(
  host: string,
  path: string,
  scripts: ReadonlyMap<string, string>,
  bridge: string,
  port: () => number,
): Served | undefined {
  const page = `default-src 'none'; script-src 'self'; connect-src ${bridge} ${bridge.replace(/^ws/, "http")}; frame-src http://*.${PAGE_HOST}:${port()}`;
  const frame = `default-src 'none'; script-src 'self'; worker-src 'self'; frame-ancestors http://${PAGE_HOST}:${port()}`;
  const headers = { "content-security-policy": host === PAGE_HOST ? page : frame };
  const script = scripts.get(path);
  if (script !== undefined) return { body: script, type: "text/javascript", headers };
  if (host === PAGE_HOST && path === "/")
    return { body: '<!doctype html><body><script src="page.js"></script>', type: "text/html", headers };
  if (path === "/allium-frame.html")
    return { body: '<!doctype html><script src="allium-frame.js"></script>', type: "text/html", headers };
  return { status: 404, body: "", type: "text/plain", headers };
}

export type Call = <K extends keyof ViewerPage>(
  method: K,
  ...args: Parameters<ViewerPage[K]>
) => Promise<Awaited<ReturnType<ViewerPage[K]>>>;

export function callerOf(page: Page): Call {
  return (method, ...args) => callPage<ViewerPage, typeof method>(page, method, ...(args as never)) as never;
}

/** Waits until the viewer says that it shows this, and returns all that it said until then. */
export async function untilShown(call: Call, url: string): Promise<{ url: string; code?: string }[]> {
  const seen: { url: string; code?: string }[] = [];
  await expect
    .poll(async () => seen.push(...(await call("shown"))) && seen.map((event) => event.url), {
      timeout: 30_000,
    })
    .toContain(url);
  return seen;
}
