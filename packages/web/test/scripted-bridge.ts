// A WebSocket server that does to its clients what a test says.

import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";

export interface Visit {
  readonly socket: WebSocket;
  readonly path: string;
  readonly protocols: string;
  /** Messages in order, the destination first. */
  readonly messages: Buffer[];
  /** Settles with the message of this number. */
  message(number: number): Promise<Buffer>;
  readonly closed: Promise<number>;
}

export interface ScriptedBridge {
  readonly url: string;
  readonly visits: Visit[];
}

/** Starts a bridge that ends with the test. `script` runs once the destination is in. */
export async function scriptedBridge(
  script: (visit: Visit, number: number) => unknown = () => {},
  options: { protocol?: string | false } = {},
): Promise<ScriptedBridge> {
  const { protocol = "tor-bridge.v1" } = options;
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: false,
    handleProtocols: () => protocol,
  });
  const visits: Visit[] = [];
  server.on("connection", (socket, request) => {
    const messages: Buffer[] = [];
    const waiting: [number, (message: Buffer) => void][] = [];
    const visit: Visit = {
      socket,
      path: request.url as string,
      protocols: request.headers["sec-websocket-protocol"] as string,
      messages,
      message: (number) =>
        new Promise((resolve) => {
          const message = messages[number];
          if (message !== undefined) resolve(message);
          else waiting.push([number, resolve]);
        }),
      closed: new Promise((resolve) => socket.on("close", resolve)),
    };
    visits.push(visit);
    socket.on("error", () => {});
    socket.on("message", (data) => {
      messages.push(data as Buffer);
      for (const [number, resolve] of waiting) if (number === messages.length - 1) resolve(data as Buffer);
      if (messages.length === 1) script(visit, visits.length);
    });
  });
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, visits };
}

/** The address of a bridge that nobody runs. */
export async function closedPort(): Promise<string> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `ws://127.0.0.1:${port}/`;
}
