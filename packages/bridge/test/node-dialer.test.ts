// The dialer on real sockets, beyond what bridge and client do with it.

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, it } from "vitest";
import { nodeDialer } from "../src/index.ts";

it("a pipe that is cancelled with bytes on their way in harms nobody", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(Buffer.alloc(1 << 20));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const thrown: unknown[] = [];
  const onThrown = (error: unknown) => thrown.push(error);
  process.on("uncaughtException", onThrown);
  for (let i = 0; i < 20; i++) {
    const pipe = await nodeDialer().dial([{ family: 4, address: Uint8Array.of(127, 0, 0, 1), port }]);
    const reader = pipe.readable.getReader();
    // The socket is paused by now, and holds what the first read resumes it for.
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (let read = 0; read < i % 5; read++) await reader.read();
    void reader.read();
    await reader.cancel();
    await pipe.closed;
  }
  process.off("uncaughtException", onThrown);
  server.close();
  expect(thrown).toEqual([]);
});
