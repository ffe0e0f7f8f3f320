// A bridge's HTTP side that answers as a test says.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface HttpBridge {
  readonly url: string;
  readonly asked: IncomingMessage[];
  /** Connections that are open. */
  readonly open: () => Promise<number>;
  readonly server: Server;
}

export type Script = (request: IncomingMessage, response: ServerResponse) => unknown;

export async function httpBridge(script: Script): Promise<HttpBridge> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    script(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const open = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, open, server };
}

export const refusing: (status: number) => Script = (status) => (_, response) =>
  response.writeHead(status).end("no");
