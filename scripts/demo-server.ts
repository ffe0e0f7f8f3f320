// Serves the built demo page on loopback under the Content-Security-Policy that Allium promises to work with, together
// with `config.json`, which tells the page its networks and bridges, and on a second port the hosts of its viewer.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DemoConfig } from "../packages/web/demo/config.ts";
import { answerViewer, VIEWER_HOST, viewerPolicy, viewerSource } from "./demo-viewer.ts";

const PAGE = fileURLToPath(new URL("../packages/web/demo/dist/", import.meta.url));

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".map": "application/json",
  ".bin": "application/octet-stream",
};

/** With any port: one may be forwarded to another. */
const LOOPBACK_HOST = /^(?:127\.0\.0\.1|(?:allium\.)?localhost)(?::[0-9]+)?$/i;

export interface DemoServerOptions {
  /** Taken when free, otherwise any free port. */
  readonly port: number;
  /** The viewer's port, likewise; any unless told otherwise. */
  readonly viewerPort?: number;
  readonly config: Pick<DemoConfig, "networks">;
  /** Called when a person picks the public network on the page: starts its bridge. */
  readonly startPublicBridge?: () => Promise<void>;
}

export interface DemoServer {
  readonly url: string;
  close(): Promise<void>;
}

function contentSecurityPolicy({ networks }: DemoServerOptions["config"], viewerPort: number): string {
  const bridges = networks
    .flatMap((network) => network.bridges)
    .map((bridge) => new URL(bridge).origin)
    // Its directory snapshots come by HTTP.
    .flatMap((origin) => [origin, origin.replace(/^ws/, "http")]);
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "worker-src 'self'",
    `frame-src ${viewerSource(viewerPort)}`,
    `connect-src 'self' ${bridges.join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Starts the servers on 127.0.0.1. */
export async function startDemoServer(options: DemoServerOptions): Promise<DemoServer> {
  const [server, viewer] = [createServer(), createServer()];
  const port = await listen(server, options.port);
  const viewerPort = await listen(viewer, options.viewerPort ?? 0);
  const config: DemoConfig = { ...options.config, viewer: `${VIEWER_HOST}:${viewerPort}` };
  serve(server, contentSecurityPolicy(config, viewerPort), (request, response) =>
    answer({ ...options, config }, request, response),
  );
  serve(viewer, viewerPolicy(port), (request, response) => answerViewer(viewerPort, request, response));
  return {
    url: `http://127.0.0.1:${port}/`,
    close: async () => {
      await Promise.all([server, viewer].map(close));
    },
  };
}

function serve(
  server: Server,
  policy: string,
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): void {
  server.on("request", (request, response) => {
    response.setHeader("content-security-policy", policy);
    response.setHeader("origin-agent-cluster", "?1");
    response.setHeader("referrer-policy", "no-referrer");
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("cache-control", "no-store");
    respond(request, response);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function listen(server: Server, port: number): Promise<number> {
  const attempt = (wanted: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(wanted, "127.0.0.1", () => {
        server.off("error", reject);
        resolve();
      });
    });
  await attempt(port).catch(() => attempt(0));
  return (server.address() as AddressInfo).port;
}

function answer(options: DemoServerOptions, request: IncomingMessage, response: ServerResponse): void {
  // Whatever else names us is a web site that had its name resolved to this machine (DNS rebinding).
  if (!LOOPBACK_HOST.test(request.headers.host ?? ""))
    return sendJson(response, 403, { error: "this server is for this machine only" });
  const path = (request.url ?? "/").replace(/\?.*/, "");
  if (path === "/config.json") return sendJson(response, 200, options.config);
  if (path === "/start-public-bridge" && request.method === "POST")
    return startPublicBridge(options, request, response);
  const file = join(PAGE, path === "/" ? "index.html" : path);
  const known = TYPES[extname(file)];
  if (request.method !== "GET" || known === undefined || !file.startsWith(PAGE) || !existsSync(file)) {
    return sendJson(response, 404, { error: "not found" });
  }
  response.writeHead(200, { "content-type": known, "content-length": statSync(file).size });
  createReadStream(file).pipe(response);
}

function startPublicBridge(
  options: DemoServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  // Only the page itself may ask: another site's request carries another Origin.
  if (
    request.headers.origin !== `http://${request.headers.host}` ||
    options.startPublicBridge === undefined
  ) {
    return sendJson(response, 403, { error: "refused" });
  }
  options.startPublicBridge().then(
    () => sendJson(response, 200, { started: true }),
    (error: Error) => sendJson(response, 500, { error: error.message }),
  );
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
