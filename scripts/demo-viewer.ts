// What the demo page's viewer needs beside the page (docs/viewer.md): loopback hosts, one for each site that is shown, each
// of which has the viewer's three files and nothing else. Browsers resolve names below `localhost` by themselves.

import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";

const BUILT = fileURLToPath(new URL("../packages/web/demo/dist/viewer/", import.meta.url));

/** Sites are below it; the page is at it too, where it is of one site with them, and third-party storage is no matter. */
export const VIEWER_HOST = "allium.localhost";

const SCRIPT = "text/javascript; charset=utf-8";
const FILES: Readonly<Record<string, readonly [type: string, read: () => string | Buffer]>> = {
  "/allium-frame.html": [
    "text/html; charset=utf-8",
    () => '<!doctype html><script src="allium-frame.js"></script>',
  ],
  "/allium-frame.js": [SCRIPT, () => readFileSync(`${BUILT}allium-frame.js`)],
  "/allium-worker.js": [SCRIPT, () => readFileSync(`${BUILT}allium-worker.js`)],
};

/** What may go into a frame of the page, as a source of its policy. */
export function viewerSource(viewerPort: number): string {
  return `http://*.${VIEWER_HOST}:${viewerPort}`;
}

export function viewerPolicy(pagePort: number): string {
  const pages = ["127.0.0.1", "localhost", VIEWER_HOST].map((host) => `http://${host}:${pagePort}`);
  return `default-src 'none'; script-src 'self'; worker-src 'self'; frame-ancestors ${pages.join(" ")}`;
}

/** Answers for a host that is `<label>.allium.localhost` at this very port, and for no other. */
export function answerViewer(
  port: number,
  { method, headers, url }: IncomingMessage,
  response: ServerResponse,
) {
  const [label = "", ...host] = (headers.host ?? "").split(".");
  if (!/^[0-9a-f]{32}$/.test(label) || host.join(".") !== `${VIEWER_HOST}:${port}`)
    return void response.writeHead(403).end();
  const file = method === "GET" && Object.hasOwn(FILES, url ?? "") ? FILES[url ?? ""] : undefined;
  if (file === undefined) return void response.writeHead(404).end();
  const [type, read] = file;
  response.writeHead(200, { "content-type": type }).end(read());
}
