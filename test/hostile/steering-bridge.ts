// A bridge that wants its client to take the guard that it has chosen: it speaks the bridge protocol correctly, carries what
// goes to some relays, and hinders what goes to others.

import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { formatIp, formatSocketAddress, type RelayAddress } from "@allium/core";
import { type WebSocket, WebSocketServer } from "ws";
import { parseDestination, SUBPROTOCOL } from "../../packages/bridge/src/shared/protocol.ts";

/**
 * What is done with a connection: "silent" says that the relay does not answer (4502), "denied" that it may not be dialled
 * (4403), "stalled" says nothing at all, "cut" ends it in the middle of TLS, "cut later" once the link is open, and "cut in
 * use" when a circuit or two have carried something.
 */
export type Treatment = "carried" | "silent" | "denied" | "stalled" | "cut" | "cut later" | "cut in use";

export interface SteeringBridge {
  readonly url: string;
  /** Relays that the client asked for ("ip:port"), in the order of their first time. */
  readonly asked: ReadonlySet<string>;
  close(): Promise<void>;
}

/** Bytes of the relay's that pass before the end: its TLS flight has more than the first, its link handshake some 3,300. */
const CUT_AFTER = { cut: 600, "cut later": 3600, "cut in use": 9000 } as const;

/** Listens on a free port of loopback. @param treat told the relay as "ip:port" */
export async function startSteeringBridge(treat: (relay: string) => Treatment): Promise<SteeringBridge> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => SUBPROTOCOL });
  await once(server, "listening");
  const asked = new Set<string>();
  server.on("connection", (ws) => {
    ws.once("message", (frame: Buffer) => {
      const wanted = parseDestination(frame);
      if (wanted === undefined) return ws.close(4400);
      const relay = formatSocketAddress(wanted);
      asked.add(relay);
      const treatment = treat(relay);
      if (treatment === "silent") ws.close(4502);
      else if (treatment === "denied") ws.close(4403);
      else if (treatment !== "stalled")
        carry(ws, wanted, treatment === "carried" ? undefined : CUT_AFTER[treatment]);
    });
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    close: () =>
      new Promise((resolve) => {
        for (const ws of server.clients) ws.terminate();
        server.close(() => resolve());
      }),
  };
}

/** Joins a client to its relay, for so many bytes of the relay's. */
function carry(ws: WebSocket, { address, port }: RelayAddress, most = Number.POSITIVE_INFINITY): void {
  const socket = connect({ host: formatIp(address), port, noDelay: true });
  let passed = 0;
  socket.on("data", (chunk: Buffer) => {
    passed += chunk.length;
    if (passed > most) {
      socket.destroy();
      ws.close(1000);
    } else ws.send(chunk);
  });
  socket.on("error", () => ws.close(4502));
  socket.on("end", () => ws.close(1000));
  ws.on("message", (data: Buffer) => socket.write(data));
  ws.on("close", () => socket.destroy());
}
