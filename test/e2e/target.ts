// A site that tells who came to it. The exits resolve its names to the private network's destination, browsers to 127.0.0.1
// (`resolveTo`): on one port two servers, and what arrives at the second came past Tor. Connections count there, not only
// requests: a preconnect is a contact too.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TornetInfo } from "../tornet/types.ts";

/** The address that every name has for a browser of these tests. */
export const DIRECT = "127.0.0.1";

export interface Visit {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface Target {
  readonly port: number;
  /** Requests that came through Tor. */
  readonly visits: Visit[];
  /** Contacts past Tor: "connection", or what was asked. None is allowed. */
  readonly direct: string[];
  close(): void;
}

export async function startTarget(
  info: TornetInfo,
  handler: (visit: Visit, response: ServerResponse) => void,
): Promise<Target> {
  const visits: Visit[] = [];
  const direct: string[] = [];
  const site = createServer((request, response) => {
    const { method = "", url: path = "", headers } = request;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("latin1");
      const visit = { method, host: headers.host ?? "", path, headers, body };
      visits.push(visit);
      handler(visit, response);
    });
  });
  const tattler = createServer(({ method, headers, url }, response) => {
    direct.push(`${method} ${headers.host} ${url}`);
    response.writeHead(200, { "access-control-allow-origin": "*" }).end();
  });
  tattler.on("connection", () => direct.push("connection"));
  const port = await listen(site, info.http.address, 0);
  await listen(tattler, DIRECT, port);
  const close = () => {
    for (const server of [site, tattler]) {
      server.closeAllConnections();
      server.close();
    }
  };
  return { port, visits, direct, close };
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((listening, failed) => {
    server.once("error", failed);
    server.listen(port, host, listening);
  });
  return (server.address() as AddressInfo).port;
}
