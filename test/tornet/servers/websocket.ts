// WebSockets at the destination's HTTP and HTTPS servers:
//   /echo         gives each message back            /count?n=10&ms=100   sends n numbers as text, then closes
//   /close/CODE   closes with that code              /protocol            chooses the last subprotocol that is offered

import type { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";

async function count(socket: WebSocket, url: URL): Promise<void> {
  const [n, ms] = ["n", "ms"].map((name) => Number(url.searchParams.get(name) ?? 10));
  for (let i = 0; i < (n ?? 0) && socket.readyState === socket.OPEN; i++) {
    socket.send(`${i}`);
    await sleep(ms);
  }
  socket.close(1000, "counted");
}

function serve(socket: WebSocket, request: IncomingMessage): void {
  const url = new URL(request.url ?? "/", "ws://destination.invalid");
  const [, route, argument] = url.pathname.split("/");
  socket.on("error", () => {});
  if (route === "close") socket.close(Number(argument), "as asked");
  else if (route === "count") void count(socket, url);
  else socket.on("message", (data, binary) => socket.send(data, { binary }));
}

/** Takes the upgrades of an HTTP or HTTPS server. */
export function acceptWebSockets(server: EventEmitter): void {
  const handleProtocols = (offered: Set<string>) => [...offered].at(-1) ?? false;
  const sockets = new WebSocketServer({ noServer: true, handleProtocols, maxPayload: 64 * 1024 * 1024 });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.handleUpgrade(request, socket, head, serve);
  });
}
