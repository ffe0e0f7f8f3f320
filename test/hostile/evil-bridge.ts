// A bridge that does not keep the bridge protocol's promises: it speaks it correctly, then misbehaves as told.

import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { formatIp, type RelayAddress } from "@allium/core";
import { WebSocketServer } from "ws";
import { parseDestination, SUBPROTOCOL } from "../../packages/bridge/src/shared/protocol.ts";

export interface Misbehaviour {
  /** Dials this in place of what the client named. */
  readonly redirect?: (wanted: RelayAddress) => RelayAddress;
  /**
   * Changes what the relay sends. `offset` counts the connection's bytes so far; undefined cuts the connection.
   * Default: passes everything.
   */
  readonly downstream?: (chunk: Uint8Array, offset: number) => Uint8Array | undefined;
  /** Takes everything and passes nothing on. */
  readonly stall?: boolean;
}

export interface EvilBridge {
  readonly url: string;
  /** WebSockets seen. */
  readonly connections: number;
  close(): Promise<void>;
}

/** Listens on a free port of loopback. */
export async function startEvilBridge(misbehaviour: Misbehaviour): Promise<EvilBridge> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => SUBPROTOCOL });
  await once(server, "listening");
  let connections = 0;
  server.on("connection", (ws) => {
    connections++;
    ws.once("message", (frame: Buffer) => {
      const wanted = parseDestination(frame);
      if (wanted === undefined || misbehaviour.stall) return;
      const { address, port } = misbehaviour.redirect?.(wanted) ?? wanted;
      const socket = connect({ host: formatIp(address), port, noDelay: true });
      let offset = 0;
      socket.on("data", (chunk: Buffer) => {
        const passed = misbehaviour.downstream ? misbehaviour.downstream(chunk, offset) : chunk;
        offset += chunk.length;
        if (passed === undefined) ws.close(1000);
        else ws.send(passed);
      });
      socket.on("error", () => ws.close(4502));
      socket.on("end", () => ws.close(1000));
      ws.on("message", (data: Buffer) => socket.write(data));
      ws.on("close", () => socket.destroy());
    });
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get connections() {
      return connections;
    },
    close: () =>
      new Promise((resolve) => {
        for (const ws of server.clients) ws.terminate();
        server.close(() => resolve());
      }),
  };
}
