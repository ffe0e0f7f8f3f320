// The destination of the network's streams, over HTTP/1.1, and over TLS with HTTP/1.1 or HTTP/2 (websocket.ts has the rest):
//   GET /              a page                       GET /large         64 MiB, digest in info.json
//   GET /bytes/N       the first N bytes of it      GET /digest/N      their length and SHA-256, as JSON
//   GET /chunked/N     the same in chunked coding   POST /sink         answers with length and SHA-256 of the body
//   GET /headers       method and headers, as JSON  GET /status/CODE   that status, with a short body
//   GET /redirect      302 to /                     GET /redirect/N    N redirects, then /
//   GET /drip?chunks=10&ms=100   a body that comes in pieces       GET /slow?ms=1000   waits before it answers
//   GET /whoami        { IsTor, IP } of who asks, as JSON: check.torproject.org's form
//   GET /site          a page with an image and a link to a form (site.ts)
//   GET /stall         a head, then nothing         GET /cut           less than its Content-Length, then the end
// With ?close the connection ends after the answer.

import { createHash } from "node:crypto";
import http from "node:http";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type net from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { content, contentDigest, LARGE_BYTES } from "./content.ts";
import { siteFile } from "./site.ts";
import { acceptWebSockets } from "./websocket.ts";

interface Exchange {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly url: URL;
  /** What follows the route's name in the path. */
  readonly argument: string;
}

const MAX_BYTES = 2 ** 32;
/** Bytes of an upload that may be on their way over HTTP/2. */
const WINDOW = 16 * 1024 * 1024;

export const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A page behind three relays</title></head>
<body><h1>A page behind three relays</h1><p>It came through a private Tor network on this machine.</p></body>
</html>
`;

function reply({ response }: Exchange, type: string, body: string, status = 200): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) }).end(body);
}

function replyJson(exchange: Exchange, value: unknown): void {
  reply(exchange, "application/json", JSON.stringify(value));
}

function count(text: string | null, fallback: number, maximum: number): number {
  const value = text === null || text === "" ? fallback : Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || value > maximum) throw new RangeError("bad number");
  return value;
}

async function sendContent({ response }: Exchange, bytes: number, chunked: boolean): Promise<void> {
  response.setHeader("content-type", "application/octet-stream");
  if (!chunked) response.setHeader("content-length", bytes);
  await pipeline(Readable.from(content(bytes)), response);
}

async function sink(exchange: Exchange): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of exchange.request) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  replyJson(exchange, { bytes, sha256: hash.digest("hex") });
}

async function drip({ response, url }: Exchange): Promise<void> {
  const chunks = count(url.searchParams.get("chunks"), 10, 10_000);
  const pause = count(url.searchParams.get("ms"), 100, 60_000);
  response.writeHead(200, { "content-type": "text/plain" }).flushHeaders();
  for (let i = 0; i < chunks && !response.destroyed; i++) {
    response.write(`drop ${i}\n`);
    await sleep(pause);
  }
  response.end();
}

function redirect({ response, argument }: Exchange): void {
  const left = count(argument, 1, 1000);
  response.writeHead(302, { location: left <= 1 ? "/" : `/redirect/${left - 1}`, "content-length": 0 }).end();
}

const routes: Readonly<Record<string, (exchange: Exchange) => void | Promise<void>>> = {
  "": (exchange) => reply(exchange, "text/html; charset=utf-8", PAGE),
  large: (exchange) => sendContent(exchange, LARGE_BYTES, false),
  bytes: (exchange) => sendContent(exchange, count(exchange.argument, 0, MAX_BYTES), false),
  chunked: (exchange) => sendContent(exchange, count(exchange.argument, 0, MAX_BYTES), true),
  digest: (exchange) => {
    const bytes = count(exchange.argument, 0, LARGE_BYTES);
    replyJson(exchange, { bytes, sha256: contentDigest(bytes) });
  },
  sink,
  headers: (exchange) =>
    replyJson(exchange, { method: exchange.request.method, headers: exchange.request.headers }),
  // All of this machine come from one address: who asks is taken for an exit.
  whoami: (exchange) => replyJson(exchange, { IsTor: true, IP: exchange.request.socket.remoteAddress ?? "" }),
  status: (exchange) => {
    const status = count(exchange.argument, 200, 599);
    reply(exchange, "text/plain", `status ${status}\n`, Math.max(status, 200));
  },
  redirect,
  drip,
  slow: async (exchange) => {
    await sleep(count(exchange.url.searchParams.get("ms"), 1000, 60_000));
    reply(exchange, "text/plain", "at last\n");
  },
  site: (exchange) => {
    const [type, body] = siteFile(exchange.argument, exchange.url.searchParams) ?? [];
    reply(exchange, type ?? "text/plain", body ?? "not found\n", body === undefined ? 404 : 200);
  },
  stall: ({ response }) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": 1000 }).flushHeaders();
  },
  cut: ({ response }) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": 1000 });
    response.write("the rest is missing\n", () => response.socket?.end());
  },
};

async function handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://destination.invalid");
  const [, route = "", argument = ""] = url.pathname.split("/");
  const exchange = { request, response, url, argument };
  if (url.searchParams.has("close")) response.setHeader("connection", "close");
  const handler = Object.hasOwn(routes, route) ? routes[route] : undefined;
  if (handler === undefined) reply(exchange, "text/plain", "not found\n", 404);
  else await handler(exchange);
}

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  handle(request, response).catch((error: unknown) => {
    if (response.headersSent || response.destroyed) response.destroy();
    else response.writeHead(400, { "content-type": "text/plain" }).end(`${String(error)}\n`);
  });
}

export function createHttpServer(): http.Server {
  const server = http.createServer({ noDelay: true }, answer);
  // A large upload through a slow path outlasts Node's five minutes.
  server.requestTimeout = 0;
  acceptWebSockets(server);
  return server;
}

export function createHttpsServer(credentials: { readonly key: string; readonly cert: string }): net.Server {
  const listener = answer as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  const settings = { initialWindowSize: WINDOW };
  const server = createSecureServer({ ...credentials, allowHTTP1: true, settings }, listener);
  // Node's own windows of 64 KiB let no more than that through in a round trip of six relays.
  server.on("session", (session) => session.setLocalWindowSize(WINDOW));
  acceptWebSockets(server);
  return server;
}
