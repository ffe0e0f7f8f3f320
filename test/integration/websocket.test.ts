// WebSockets through three real relays, to Node's `ws`.

import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { directClient } from "./helpers.ts";

/** An echoing server; its address, and the close codes it has seen. */
async function echoServer() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  const codes: number[] = [];
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("close", (code) => codes.push(code));
  });
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as { port: number }).port}/`, codes };
}

function next<T>(socket: EventTarget, type: string): Promise<T> {
  return new Promise((resolve) =>
    socket.addEventListener(type, (event) => resolve(event as T), { once: true }),
  );
}

describe("a WebSocket through three relays", () => {
  it("opens, echoes 4 MiB and text, and closes in order", async () => {
    const { url, codes } = await echoServer();
    const socket = new (directClient().WebSocket)(url);
    socket.binaryType = "arraybuffer";
    await next(socket, "open");
    const sent = new Uint8Array(4 << 20).map((_, i) => i * 31 + (i >> 8));
    socket.send(sent);
    expect(Buffer.from((await next<MessageEvent<ArrayBuffer>>(socket, "message")).data).equals(sent)).toBe(
      true,
    );
    for (const text of ["", "häh?", "x".repeat(2000)]) {
      socket.send(text);
      expect((await next<MessageEvent>(socket, "message")).data).toBe(text);
    }
    socket.close(4321, "done");
    expect(await next(socket, "close")).toMatchObject({ code: 4321, reason: "done", wasClean: true });
    expect(codes).toEqual([4321]);
  });

  it("ends with the client, which says why", async () => {
    const { url } = await echoServer();
    const tor = directClient();
    const socket = new tor.WebSocket(url);
    await next(socket, "open");
    const failed = next<{ error: unknown }>(socket, "error");
    const closed = next(socket, "close");
    await tor.close();
    expect((await failed).error).toMatchObject({ kind: "aborted" });
    expect(await closed).toMatchObject({ code: 1006, wasClean: false });
  });
});
