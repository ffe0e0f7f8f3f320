// Someone on the way changes one bit of the server's flight: the client must refuse it, wherever the bit is.

import type net from "node:net";
import tls from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ByteStream } from "../../packages/core/src/base/byte-stream.ts";
import { systemClock } from "../../packages/core/src/base/clock.ts";
import { isTorError } from "../../packages/core/src/base/errors.ts";
import { connectTls } from "../../packages/core/src/tls/connect.ts";
import { CertificateShop, dial, socketPipe } from "./tls-servers.ts";

const shop = new CertificateShop();
let server: tls.Server;
let port: number;

beforeAll(async () => {
  // Ed25519: all its signatures have one length, so that every run has the same flight.
  const { key, cert } = shop.selfSigned("ed25519");
  server = tls.createServer({ key, cert, minVersion: "TLSv1.3" }, (socket) => socket.on("error", () => {}));
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as net.AddressInfo).port;
});
afterAll(() => {
  server.close();
  shop.remove();
});

/** A pipe that lets `length` bytes through, with the bit `mask` of the byte at `position` changed, and then ends. */
function tampering(pipe: ByteStream, length: number, position: number, mask: number): ByteStream {
  let at = 0;
  return {
    async read() {
      const chunk = at < length ? (await pipe.read())?.slice(0, length - at) : undefined;
      if (chunk === undefined) return undefined;
      const index = position - at;
      if (index >= 0 && index < chunk.length) chunk[index] = (chunk[index] as number) ^ mask;
      at += chunk.length;
      return chunk;
    },
    write: (data) => pipe.write(data),
    close: (reason) => pipe.close(reason),
  };
}

async function handshake(length: number, position: number, mask: number): Promise<unknown> {
  const pipe = socketPipe(await dial(port));
  try {
    const options = { serverName: "www.relay.example", clock: systemClock, timeout: 3000 };
    const connection = await connectTls(tampering(pipe, length, position, mask), options);
    connection.close();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Bytes from ServerHello to Finished. */
async function flightLength(): Promise<number> {
  let size = 0;
  const pipe = socketPipe(await dial(port));
  const counting: ByteStream = {
    read: async () => {
      const chunk = await pipe.read();
      size += chunk?.length ?? 0;
      return chunk;
    },
    write: async (data) => {
      // The client's second write answers the whole flight.
      if (size > 0) flight = size;
      await pipe.write(data);
    },
    close: (reason) => pipe.close(reason),
  };
  let flight = 0;
  const connection = await connectTls(counting, {
    clock: systemClock,
    timeout: 3000,
    serverName: "www.relay.example",
  });
  connection.close();
  return flight;
}

it("refuses a changed bit in every byte from ServerHello to Finished", async () => {
  const length = await flightLength();
  expect(length).toBeGreaterThan(500);
  // The whole flight unchanged passes, so that what is refused below is refused for its bit.
  expect(await handshake(length, length, 0)).toBeUndefined();
  const accepted: string[] = [];
  const codes = new Set<string>();
  for (let position = 0; position < length; position++) {
    const mask = 1 << (position % 8);
    const error = await handshake(length, position, mask);
    if (isTorError(error)) codes.add(error.code);
    else accepted.push(`byte ${position}, bit ${mask}: ${error}`);
  }
  expect(accepted).toEqual([]);
  expect(codes).not.toContain("ALLIUM_E_INTERNAL");
  expect(codes).not.toContain("ALLIUM_E_TLS_TIMEOUT");
  expect(codes).toContain("ALLIUM_E_TLS_BAD_RECORD");
});
