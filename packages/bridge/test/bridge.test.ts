// The bridge on real sockets: `ws` as the client, TCP servers as relays that the network lists as fallbacks.

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type LogEvent, type NetworkConfig, parseSocketAddress } from "@allium/core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { type Bridge, type BridgeLimits, createBridge } from "../src/index.ts";
import { SUBPROTOCOL } from "../src/shared/protocol.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function tcpServer(onSocket: (socket: Socket) => void): Promise<{ server: Server; address: string }> {
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
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function networkOf(...orPorts: string[]): NetworkConfig {
  return {
    authorities: [{ nickname: "none", v3ident: "11".repeat(20) }],
    fallbacks: [{ rsaId: "00".repeat(20), ed25519Id: "A".repeat(43), orPorts }],
    allowPrivateAddresses: true,
  };
}

const logged: LogEvent[] = [];

async function bridgeTo(
  address: string,
  limits: Partial<BridgeLimits> = {},
): Promise<{ bridge: Bridge; url: string }> {
  const network = networkOf(address);
  const listen = { host: "127.0.0.1", port: 0 };
  const bridge = createBridge({ network, listen, limits, log: (event) => logged.push(event) });
  cleanUps.push(() => bridge.close());
  return { bridge, url: await bridge.listen() };
}

function destination(address: string): Uint8Array {
  const { address: ip, port } = parseSocketAddress(address);
  return Uint8Array.of(ip.length === 4 ? 4 : 6, ...ip, port >> 8, port & 255);
}

async function client(url: string): Promise<WebSocket> {
  const ws = new WebSocket(`${url}v1/connect`, [SUBPROTOCOL, "t.abc"]);
  ws.on("error", () => {});
  cleanUps.push(() => ws.terminate());
  await once(ws, "open");
  return ws;
}

async function closeOf(ws: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = await once(ws, "close");
  return { code, reason: String(reason) };
}

/** Sends a destination over a new WebSocket and returns how it is closed. */
async function refusalOf(url: string, first: Uint8Array | string): Promise<{ code: number; reason: string }> {
  const ws = await client(url);
  ws.send(first);
  return closeOf(ws);
}

describe("the bridge", () => {
  it("echoes its subprotocol only, and carries bytes both ways", async () => {
    const { address } = await tcpServer((socket) => socket.pipe(socket));
    const { url } = await bridgeTo(address);
    const ws = await client(url);
    expect(ws.protocol).toBe(SUBPROTOCOL);
    ws.send(destination(address));
    ws.send(Buffer.from("hello before the dial is done"));
    const [data] = await once(ws, "message");
    expect(String(data)).toBe("hello before the dial is done");
  });

  it("moves megabytes unharmed in messages of at most 64 KiB", async () => {
    const { address } = await tcpServer((socket) => socket.pipe(socket));
    const { url } = await bridgeTo(address);
    const ws = await client(url);
    ws.send(destination(address));
    const sent = Buffer.alloc(4 * 1024 * 1024, 7).map((_, i) => (i * 31) & 255);
    for (let at = 0; at < sent.length; at += 65536) ws.send(sent.subarray(at, at + 65536));
    const parts: Buffer[] = [];
    await new Promise<void>((resolve) => {
      let length = 0;
      ws.on("message", (data: Buffer) => {
        parts.push(data);
        length += data.length;
        if (length === sent.length) resolve();
      });
    });
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(65536);
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
  });

  it("refuses whatever is not a relay, and says why", async () => {
    const relay = await tcpServer(() => {});
    let dialled = false;
    const other = await tcpServer(() => {
      dialled = true;
    });
    const { url } = await bridgeTo(relay.address);
    expect(await refusalOf(url, destination(other.address))).toEqual({
      code: 4503,
      reason: "no verified consensus yet",
    });
    expect((await refusalOf(url, Buffer.from("GET / HTTP/1.1\r\n\r\n"))).code).toBe(4400);
    expect((await refusalOf(url, Buffer.alloc(0))).code).toBe(4400);
    expect((await refusalOf(url, "text")).code).toBe(1003);
    expect(dialled).toBe(false);
  });

  it("refuses messages of more than 64 KiB", async () => {
    const { address } = await tcpServer(() => {});
    const { url } = await bridgeTo(address);
    const ws = await client(url);
    ws.send(destination(address));
    ws.send(Buffer.alloc(65537));
    expect((await closeOf(ws)).code).toBe(1009);
  });

  it("refuses an upgrade without its subprotocol or at another path", async () => {
    const { address } = await tcpServer(() => {});
    const { url } = await bridgeTo(address);
    const refusal = async (path: string, ...protocols: string[]) => {
      const ws = new WebSocket(`${url}${path}`, protocols);
      const [error] = (await once(ws, "error")) as [Error];
      return error.message;
    };
    expect(await refusal("v1/connect")).toContain("400");
    expect(await refusal("v1/connect", "tor-bridge.v2")).toContain("400");
    expect(await refusal("", SUBPROTOCOL)).toContain("404");
  });

  it("answers 503 beyond its connection limit", async () => {
    const { address } = await tcpServer(() => {});
    const { url } = await bridgeTo(address, { maxConnections: 1 });
    await client(url);
    const second = new WebSocket(`${url}v1/connect`, SUBPROTOCOL);
    const [error] = (await once(second, "error")) as [Error];
    expect(error.message).toContain("503");
  });

  it("closes with 4502 when the relay does not listen", async () => {
    const { server, address } = await tcpServer(() => {});
    server.close();
    await once(server, "close");
    const { url } = await bridgeTo(address);
    expect((await refusalOf(url, destination(address))).code).toBe(4502);
  });

  it("delivers everything before it reports the relay's end", async () => {
    const { address } = await tcpServer((socket) => socket.end(Buffer.alloc(1024 * 1024, 1)));
    const { url } = await bridgeTo(address);
    const ws = await client(url);
    let received = 0;
    ws.on("message", (data: Buffer) => {
      received += data.length;
    });
    ws.send(destination(address));
    expect((await closeOf(ws)).code).toBe(1000);
    expect(received).toBe(1024 * 1024);
  });

  it("stops reading from the relay while the client does not read", async () => {
    let accepted = 0;
    const { address } = await tcpServer((socket) => {
      const chunk = Buffer.alloc(65536);
      const pump = () => {
        while (accepted < 64 * 1024 * 1024) {
          accepted += chunk.length;
          if (!socket.write(chunk)) return socket.once("drain", pump);
        }
        return undefined;
      };
      pump();
    });
    const { url } = await bridgeTo(address);
    const ws = await client(url);
    ws.pause();
    ws.send(destination(address));
    let before = -1;
    while (before !== accepted) {
      before = accepted;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // What remains are the kernel's buffers on two sockets, not the bridge's memory.
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(32 * 1024 * 1024);
  });

  it("ends a connection that names no destination, and one that is idle", async () => {
    const { address } = await tcpServer(() => {});
    const { url } = await bridgeTo(address, { firstFrameTimeout: 30, idleTimeout: 60 });
    expect(await closeOf(await client(url))).toEqual({ code: 4408, reason: "no destination in time" });
    expect(await refusalOf(url, destination(address))).toEqual({ code: 4408, reason: "idle" });
  });

  it("cuts a client that answers no ping", async () => {
    const { address } = await tcpServer(() => {});
    const { bridge, url } = await bridgeTo(address, { pingInterval: 20 });
    const ws = new WebSocket(`${url}v1/connect`, SUBPROTOCOL, { autoPong: false });
    ws.on("error", () => {});
    await once(ws, "open");
    expect((await closeOf(ws)).code).toBe(1006);
    await vi.waitFor(() => expect(bridge.connections).toBe(0));
  });

  it("tells how it is over HTTP", async () => {
    const { address } = await tcpServer(() => {});
    const { url } = await bridgeTo(address);
    const http = url.replace("ws:", "http:");
    const health = await fetch(`${http}health`);
    expect([health.status, await health.json()]).toEqual([200, { status: "ok" }]);
    expect((await fetch(`${http}ready`)).status).toBe(503);
    expect(await (await fetch(`${http}v1/check`)).json()).toEqual({
      up: true,
      ready: false,
      protocol: SUBPROTOCOL,
    });
    expect((await fetch(`${http}v1/connect`)).status).toBe(426);
    expect((await fetch(`${http}nothing`)).status).toBe(404);
    expect((await fetch(`${http}health`, { method: "POST" })).status).toBe(405);
  });

  it("closes open connections with 4503 when it goes down, relay side too", async () => {
    let relayClosed: Promise<unknown> | undefined;
    const { address } = await tcpServer((socket) => {
      relayClosed = once(socket, "close");
      socket.write("x");
      socket.resume();
    });
    const { bridge, url } = await bridgeTo(address);
    const ws = await client(url);
    ws.send(destination(address));
    await once(ws, "message");
    const closed = closeOf(ws);
    await bridge.close();
    expect((await closed).code).toBe(4503);
    await relayClosed;
  });

  it("logs no address of a client or a destination", async () => {
    const { address } = await tcpServer((socket) => socket.end("x"));
    const { url } = await bridgeTo(address);
    await refusalOf(url, destination(address));
    const port = address.split(":")[1] as string;
    const visible = logged.filter(({ level }) => level !== "debug").map((event) => JSON.stringify(event));
    expect(visible.length).toBeGreaterThan(0);
    expect(visible.filter((line) => line.includes("127.0.0.1") || line.includes(port))).toEqual([]);
  });
});
