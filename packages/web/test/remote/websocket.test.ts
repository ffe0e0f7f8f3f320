// WebSockets of a page whose client is in a worker: frames are made in the page, their bytes go over the port.

import type { AddressInfo } from "node:net";
import { isTorError, TorError, type TorWebSocket, type TorWebSocketErrorEvent } from "@allium/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { type WebSocket as ServerSocket, WebSocketServer } from "ws";
import { connect } from "../../../core/src/net/socket.ts";
import { loopbackOpener } from "../../../core/test/net/streams.ts";
import { served } from "./rig.ts";

/** A page, a worker, and the `ws` server that all of the worker's sockets lead to. */
async function rigged(handle: (socket: ServerSocket) => void) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  server.on("connection", handle);
  const rig = served();
  const opener = loopbackOpener({ address: () => server.address() as AddressInfo });
  rig.client.onConnect = (address, options) =>
    connect(opener, address as { hostname: string; port: number }, options);
  return rig;
}

function eventOf(socket: TorWebSocket, type: "open" | "message" | "close" | "error") {
  return new Promise<Event>((resolve) =>
    socket.addEventListener(type, resolve as () => void, { once: true }),
  );
}

function echo(socket: ServerSocket): void {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
}

describe("a WebSocket over a port", () => {
  it("echoes what is larger than any window, and closes in order", async () => {
    const closes: unknown[] = [];
    const { client, tor } = await rigged((socket) => {
      echo(socket);
      socket.on("close", (code, reason) => closes.push([code, String(reason)]));
    });
    const socket = new (tor.isolate("tab").WebSocket)("ws://site.example/chat", { isolation: "key" });
    socket.binaryType = "arraybuffer";
    await eventOf(socket, "open");
    expect(client.calls[0]).toMatchObject({ name: "connect", keys: ["tab"] });
    expect(client.calls[0]?.args).toMatchObject([
      { hostname: "site.example", port: 80 },
      { isolation: "key" },
    ]);
    const text = "häh?".repeat(300_000);
    const bytes = new Uint8Array(3 << 20).map((_, i) => i);
    socket.send(text);
    expect((await eventOf(socket, "message")) as MessageEvent).toMatchObject({ data: text });
    socket.send(bytes);
    const { data } = (await eventOf(socket, "message")) as MessageEvent<ArrayBuffer>;
    expect(Buffer.from(data).equals(bytes)).toBe(true);
    expect(socket.bufferedAmount).toBe(0);
    socket.close(4000, "done");
    expect(await eventOf(socket, "close")).toMatchObject({ code: 4000, reason: "done", wasClean: true });
    await expect.poll(() => closes).toEqual([[4000, "done"]]);
  });

  it("tells the server why it fails", async () => {
    const codes: number[] = [];
    const { tor } = await rigged((socket) => {
      socket.on("close", (code) => codes.push(code));
    });
    const controller = new AbortController();
    const socket = new tor.WebSocket("ws://site.example/", { signal: controller.signal });
    await eventOf(socket, "open");
    const closed = eventOf(socket, "close");
    controller.abort();
    expect(await closed).toMatchObject({ code: 1006, wasClean: false });
    await expect.poll(() => codes).toEqual([1001]);
  });

  it("asks the worker for TLS where it is wss:, and says what came of it", async () => {
    const { client, tor } = served();
    client.onConnect = () => {
      throw new TorError("remote-tls", "ALLIUM_E_CERT_NAME", "somebody else");
    };
    const failed = eventOf(new tor.WebSocket("wss://site.example/"), "error");
    const { error } = (await failed) as TorWebSocketErrorEvent;
    expect([isTorError(error), error?.code]).toEqual([true, "ALLIUM_E_CERT_NAME"]);
    expect(client.calls[0]?.args).toMatchObject([
      { hostname: "site.example", port: 443 },
      { secureTransport: "on", alpn: ["http/1.1"] },
    ]);
  });

  it("ends with the page's client", async () => {
    const { tor } = await rigged(echo);
    const socket = new tor.WebSocket("ws://site.example/");
    await eventOf(socket, "open");
    const failed = eventOf(socket, "error");
    const closed = eventOf(socket, "close");
    await tor.close();
    expect(((await failed) as TorWebSocketErrorEvent).error?.code).toBe("ALLIUM_E_CLOSED");
    expect(await closed).toMatchObject({ code: 1006, wasClean: false });
  });
});
