// A real HTTP server of Node for each test, reached over real TCP sockets as streams.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, beforeEach } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { Fetcher, type TorFetchInit } from "../../src/net/fetch.ts";
import { listen, loopbackOpener, type TestOpener } from "./streams.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface Web {
  /** Opens streams to the server, whatever the destination. */
  opener: TestOpener;
  /** By path; set by the test. */
  handlers: Record<string, Handler>;
  fetcher: Fetcher;
  get(url: string, init?: TorFetchInit): Promise<Response>;
}

/** Starts a server before each test of the file and stops it afterwards. */
export function webForEachTest(): Web {
  let server: Server;
  const web = {
    handlers: {},
    get: (url, init) => web.fetcher.fetch(url, init),
  } as Web;
  beforeEach(async () => {
    web.handlers = {};
    server = await listen(
      createServer((request, response) => {
        const handler = web.handlers[(request.url as string).split("?")[0] as string];
        if (handler === undefined) response.writeHead(404).end("no such page");
        else handler(request, response);
      }),
    );
    web.opener = loopbackOpener(server);
    web.fetcher = new Fetcher(web.opener);
  });
  afterEach(() => {
    web.fetcher.close(new TorError("aborted", "ALLIUM_E_TEST_OVER", "the test is over"));
    server.closeAllConnections();
    server.close();
  });
  return web;
}

export async function requestBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}
