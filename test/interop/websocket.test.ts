// WebSocket over Tor's client side against the servers of others: `ws` of Node and `websockets` of Python (Debian).

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { systemClock } from "../../packages/core/src/base/clock.ts";
import type { TorWebSocket, TorWebSocketErrorEvent } from "../../packages/core/src/net/websocket/api.ts";
import { openThrough } from "../../packages/core/src/net/websocket/connection.ts";
import { makeWebSocket } from "../../packages/core/src/net/websocket/websocket.ts";
import { loopbackOpener } from "../../packages/core/test/net/streams.ts";

interface Running {
  readonly port: number;
  stop(): void;
}

/** Echoes; "close 4001 why" has it close, "ping" ping and then say "ponged". */
async function startWs(): Promise<Running> {
  const server = new WebSocketServer({
    ...{ host: "127.0.0.1", port: 0, perMessageDeflate: true, maxPayload: 2 ** 25 },
    handleProtocols: (protocols) => (protocols.has("echo") ? "echo" : false),
  });
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => {
      const text = isBinary ? "" : String(data);
      const [, code, reason] = /^close (\d+) (\w+)$/.exec(text) ?? [];
      if (code !== undefined) socket.close(Number(code), reason);
      else if (text === "ping") socket.ping("payload", undefined, () => {});
      else socket.send(data, { binary: isBinary });
    });
    socket.on("pong", (data) => socket.send(`ponged ${data}`));
  });
  await once(server, "listening");
  return { port: (server.address() as { port: number }).port, stop: () => server.close() };
}

async function startPython(): Promise<Running> {
  const script = fileURLToPath(new URL("websocket-server.py", import.meta.url));
  const child: ChildProcess = spawn("/usr/bin/python3", [script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), "line");
  return { port: Number(line), stop: () => child.kill("SIGKILL") };
}

function next<T extends Event>(
  socket: TorWebSocket,
  type: "open" | "message" | "close" | "error",
): Promise<T> {
  return new Promise((resolve) => socket.addEventListener(type, resolve as () => void, { once: true }));
}

describe.each([
  ["ws", startWs],
  ["Python's websockets", startPython],
])("%s", (_, start) => {
  let server: Running;
  let WebSocket: ReturnType<typeof makeWebSocket>;
  beforeAll(async () => {
    server = await start();
    const opener = loopbackOpener({ address: () => ({ port: server.port }) });
    WebSocket = makeWebSocket({ open: openThrough(opener), clock: systemClock });
  });
  afterAll(() => server.stop());

  async function open(protocols: string[] = []): Promise<TorWebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`, protocols);
    socket.binaryType = "arraybuffer";
    await next(socket, "open");
    return socket;
  }

  it("agrees on a subprotocol", async () => {
    const socket = await open(["chat", "echo"]);
    expect([socket.protocol, socket.extensions]).toEqual(["echo", ""]);
    socket.close();
    expect(await next(socket, "close")).toMatchObject({ code: 1005, wasClean: true });
  });

  it.each([0, 1, 125, 126, 65_535, 65_536, 1_000_003])(
    "echoes %i bytes, as text and as bytes",
    async (size) => {
      const socket = await open();
      const text = "aé€\u{1F600}"
        .repeat(Math.ceil(size / 10))
        .slice(0, size)
        .toWellFormed();
      socket.send(text);
      expect(((await next(socket, "message")) as MessageEvent).data).toBe(text);
      const bytes = new Uint8Array(size).map((__, i) => i * 7);
      socket.send(new Blob([bytes]));
      const { data } = await next<MessageEvent<ArrayBuffer>>(socket, "message");
      expect(Buffer.from(data).equals(bytes)).toBe(true);
      socket.close(1000);
      expect(await next(socket, "close")).toMatchObject({ code: 1000, wasClean: true });
    },
  );

  it("keeps the order of a thousand messages", async () => {
    const socket = await open();
    const got: unknown[] = [];
    const done = new Promise<void>((resolve) => {
      socket.onmessage = ({ data }) => {
        if (got.push(typeof data === "string" ? data : Buffer.from(data as ArrayBuffer).toString()) === 1000)
          resolve();
      };
    });
    const all = Array.from({ length: 1000 }, (__, i) => `message ${i}`);
    for (const [i, text] of all.entries()) socket.send(i % 3 === 0 ? new Blob([text]) : text);
    await done;
    expect(got).toEqual(all);
    socket.close();
  });

  it("gets its pings answered", async () => {
    const socket = await open();
    socket.send("ping");
    expect(((await next(socket, "message")) as MessageEvent).data).toBe("ponged payload");
    socket.close();
  });

  it("closes, and says why", async () => {
    const socket = await open();
    socket.send("close 4001 why");
    expect(await next(socket, "close")).toMatchObject({ code: 4001, reason: "why", wasClean: true });
  });

  it("refuses what is no WebSocket, or is not asked for as it must", async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`, ["unknown"]);
    const { error } = await next<Event & TorWebSocketErrorEvent>(socket, "error");
    expect(error?.code).toBe("ALLIUM_E_WS_HANDSHAKE");
  });
});
