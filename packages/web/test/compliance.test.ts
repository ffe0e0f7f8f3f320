// The compliance suites of core's ports against webDialer and its pipes; what the store says where it cannot be.

import type { AddressInfo } from "node:net";
import { type Duplex, parseSocketAddress } from "@allium/core";
import { dialerCases, duplexCases } from "@allium/core/testing";
import { describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { webDialer } from "../src/dialer.ts";
import { webStore } from "../src/store.ts";

const anyRelay = parseSocketAddress("192.0.2.1:9001");

async function startServer(onPipe: (socket: WebSocket, destination: Buffer) => void) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await new Promise((resolve) => server.once("listening", resolve));
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.once("message", (data) => onPipe(socket, data as Buffer));
  });
  return {
    dialer: webDialer({ bridges: [`ws://127.0.0.1:${(server.address() as AddressInfo).port}`] }),
    async dispose() {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("webDialer is a Dialer", () => {
  const setup = async () => {
    const { dialer, dispose } = await startServer((socket) => {
      socket.on("message", (data) => socket.send(data));
    });
    return { dialer, dispose, echo: anyRelay };
  };
  // A bridge answers for a relay only once the pipe is there: nobody is a bridge that is not there.
  const gone = webDialer({ bridges: ["ws://127.0.0.1:1/"] });
  const nobody = parseSocketAddress("192.0.2.2:9001");
  const cases = dialerCases(async () => {
    const { dialer, ...rest } = await setup();
    const dial: typeof dialer.dial = (target, options) =>
      (target.includes(nobody) ? gone : dialer).dial(target, options);
    return { ...rest, dialer: { dial }, nobody };
  });
  for (const { name, run } of cases) it(name, run);
});

describe("its pipe is a Duplex", () => {
  const cases = duplexCases(async () => {
    let far: Duplex | undefined;
    const { dialer } = await startServer((socket) => {
      far = serverDuplex(socket);
    });
    const near = await dialer.dial([anyRelay]);
    await expect.poll(() => far).toBeDefined();
    return { near, far: far as Duplex };
  });
  for (const { name, run } of cases) it(name, run);
});

/** The bridge's end of a pipe. */
function serverDuplex(socket: WebSocket): Duplex {
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  let open = true;
  const readable = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        socket.pause();
        socket.on("message", (data) => {
          controller.enqueue(new Uint8Array(data as Buffer));
          socket.pause();
        });
        socket.once("close", () => {
          if (open) controller.close();
          open = false;
        });
      },
      pull: () => socket.resume(),
    },
    { highWaterMark: 0 },
  );
  const close = () => {
    socket.resume();
    socket.close(1000);
  };
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) =>
      new Promise((resolve, reject) => socket.send(chunk, (e) => (e ? reject(e) : resolve()))),
    close,
  });
  return { readable, writable, closed, close };
}

describe("webStore", () => {
  it("where there is no IndexedDB says so, and its locks still hold", async () => {
    const store = webStore("name");
    const denied = { kind: "storage-denied", code: "ALLIUM_E_STORAGE_DENIED" };
    await expect(store.get("key")).rejects.toMatchObject(denied);
    await expect(store.set(new Map([["key", Uint8Array.of(1)]]))).rejects.toMatchObject(denied);
    expect(await store.lock("lock", async () => 42)).toBe(42);
  });
});
