// The dialer on real sockets, beyond what bridge and client do with it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { parseSocketAddress, type RelayAddress } from "@allium/core";
import { describe, expect, it, onTestFinished } from "vitest";
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

describe("a relay with several addresses", () => {
  const CHILD = `
    const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;

  /** An address that answers nothing: somebody listens, accepts nobody, and has no room for more. */
  async function silentAddress(): Promise<RelayAddress> {
    const child = spawn(process.execPath, ["-e", CHILD], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    const [line] = (await once(child.stdout as Readable, "data")) as [Buffer];
    const port = Number(line.toString());
    for (let i = 0; i < 4; i++) {
      const filler = connect(port, "127.0.0.1").on("error", () => {});
      onTestFinished(() => void filler.destroy());
    }
    await sleep(100);
    return parseSocketAddress(`127.0.0.1:${port}`);
  }

  async function listening(): Promise<RelayAddress> {
    const server = createServer((socket) => socket.end("hello"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    return parseSocketAddress(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  async function refusing(): Promise<RelayAddress> {
    const address = await listening();
    return { ...address, port: 1 };
  }

  const greeting = async (target: readonly RelayAddress[]) => {
    const pipe = await nodeDialer({ timeout: 2000 }).dial(target);
    let text = "";
    for await (const chunk of pipe.readable) text += new TextDecoder().decode(chunk);
    return text;
  };

  it("is reached by the one that answers, be the first silent or closed", async () => {
    const good = await listening();
    expect(await greeting([await silentAddress(), good])).toBe("hello");
    expect(await greeting([await refusing(), good])).toBe("hello");
    expect(await greeting([good, await silentAddress()])).toBe("hello");
  });

  it("is not reached when none answers, and the last failure says why", async () => {
    const dialer = nodeDialer({ timeout: 300 });
    const closed = await refusing();
    await expect(dialer.dial([closed, closed])).rejects.toMatchObject({ code: "ALLIUM_E_DIAL_FAILED" });
    await expect(dialer.dial([closed, await silentAddress()])).rejects.toMatchObject({
      code: "ALLIUM_E_DIAL_TIMEOUT",
    });
    await expect(dialer.dial([])).rejects.toMatchObject({ code: "ALLIUM_E_BAD_ADDRESS" });
  });

  it("is given up with the caller's signal", async () => {
    const controller = new AbortController();
    const dialling = nodeDialer().dial([await silentAddress(), await silentAddress()], {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 400);
    await expect(dialling).rejects.toMatchObject({ kind: "aborted" });
    await expect(
      nodeDialer().dial([await listening()], { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      kind: "aborted",
    });
  });
});
