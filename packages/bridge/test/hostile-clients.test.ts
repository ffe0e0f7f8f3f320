// Clients that mean harm, on raw sockets: what they hold open must neither outlive its time nor keep the bridge from closing.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { type Bridge, type BridgeLimits, createBridge } from "../src/index.ts";
import { CONNECT_PATH, SUBPROTOCOL } from "../src/shared/protocol.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A relay that takes a connection and then does as it is told; its port. */
async function relay(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** @param orPorts of the one fallback directory; the bridge itself asks at the first */
async function bridgeTo(
  orPorts: readonly number[],
  limits: Partial<BridgeLimits> = {},
): Promise<{ bridge: Bridge; port: number }> {
  const bridge = createBridge({
    network: {
      authorities: [{ nickname: "none", v3ident: "11".repeat(20) }],
      fallbacks: [
        {
          rsaId: "00".repeat(20),
          ed25519Id: "A".repeat(43),
          orPorts: orPorts.map((orPort) => `127.0.0.1:${orPort}`),
        },
      ],
      allowPrivateAddresses: true,
    },
    listen: { host: "127.0.0.1", port: 0 },
    limits,
  });
  cleanUps.push(() => bridge.close());
  return { bridge, port: Number(new URL(await bridge.listen()).port) };
}

/** A client that never closes by itself, also when the bridge has. */
async function rawClient(port: number, bytes: string): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  cleanUps.push(() => socket.destroy());
  await once(socket, "connect");
  socket.write(bytes);
  return socket;
}

async function client(port: number): Promise<WebSocket> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}${CONNECT_PATH}`, SUBPROTOCOL);
  ws.on("error", () => {});
  cleanUps.push(() => ws.terminate());
  await once(ws, "open");
  return ws;
}

function destination(port: number): Uint8Array {
  return Uint8Array.of(4, 127, 0, 0, 1, port >> 8, port & 255);
}

const REFUSED_UPGRADE = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

describe("a client that holds its socket", () => {
  it.each([
    ["sends nothing", ""],
    ["sends half a request", "GET /hea"],
    ["owes the body of a request", "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"],
    ["was refused its upgrade", REFUSED_UPGRADE],
  ])(
    "and %s does not keep the bridge from closing",
    async (_what, bytes) => {
      const { bridge, port } = await bridgeTo([1], { drainTimeout: 20 });
      const accepted = await rawClient(port, bytes);
      // One round trip later the bridge has read what was sent.
      await (await fetch(`http://127.0.0.1:${port}/health`)).text();
      await bridge.close();
      accepted.resume();
      await once(accepted, "end");
    },
    5000,
  );

  it.each(["", "GET /v1/connect HTTP/1.1\r\nHost: a\r\n"])(
    "loses it when its headers are not in in time: %j",
    async (bytes) => {
      const { port } = await bridgeTo([1], { headerTimeout: 50 });
      const slow = await rawClient(port, bytes);
      slow.resume();
      await once(slow, "end");
    },
    5000,
  );

  it("after a refused upgrade loses it at once", async () => {
    const { port } = await bridgeTo([1]);
    const refused = await rawClient(port, REFUSED_UPGRADE);
    refused.resume();
    await once(refused, "end");
    // A socket that the bridge has merely half closed would take bytes for ever.
    const reset = new Promise((resolve) => refused.once("close", resolve));
    const writing = setInterval(() => refused.write("x"), 5);
    cleanUps.push(() => clearInterval(writing));
    await reset;
  }, 5000);
});

describe("a client that floods a relay which takes nothing", () => {
  it("is ended as idle, and leaves no socket to the relay behind", async () => {
    let atRelay = 0;
    let asked = 0;
    const directory = await relay(() => asked++);
    const relayPort = await relay((socket) => {
      socket.pause();
      atRelay++;
    });
    const { bridge, port } = await bridgeTo([directory, relayPort], {
      relayFlushTimeout: 20,
      idleTimeout: 60,
    });
    const ws = await client(port);
    ws.send(destination(relayPort));
    await vi.waitFor(() => expect([asked, atRelay]).toEqual([1, 1]));
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    const before = sockets();
    // More than the kernel holds between bridge and relay.
    for (let i = 0; i < 512; i++) ws.send(Buffer.alloc(65536));
    const [code] = await once(ws, "close");
    expect(code).toBe(4408);
    await vi.waitFor(() => expect(bridge.connections).toBe(0));
    // The client's socket, the bridge's end of it, and the bridge's to the relay.
    await vi.waitFor(() => expect(sockets()).toBe(before - 3));
  }, 5000);
});

describe("a client that sends empty messages", () => {
  it("is idle", async () => {
    const relayPort = await relay((socket) => socket.resume());
    const { port } = await bridgeTo([relayPort], { idleTimeout: 60 });
    const ws = await client(port);
    ws.send(destination(relayPort));
    const sending = setInterval(() => ws.send(new Uint8Array(0)), 5);
    cleanUps.push(() => clearInterval(sending));
    const [code, reason] = await once(ws, "close");
    expect([code, String(reason)]).toEqual([4408, "idle"]);
  }, 5000);
});
