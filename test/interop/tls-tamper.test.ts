// Someone on the way changes one bit of the server's flight: the client must refuse it, wherever the bit is.

import type net from "node:net";
import tls from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ByteStream } from "../../packages/core/src/base/byte-stream.ts";
import { systemClock } from "../../packages/core/src/base/clock.ts";
import { isTorError } from "../../packages/core/src/base/errors.ts";
import { connectTls } from "../../packages/core/src/tls/connect.ts";
import { CertificateShop, dial, socketPipe } from "./tls-servers.ts";

type Version = "TLSv1.2" | "TLSv1.3";
const VERSIONS: readonly Version[] = ["TLSv1.3", "TLSv1.2"];

const shop = new CertificateShop();
const ports = new Map<Version, number>();
const servers: tls.Server[] = [];

beforeAll(async () => {
  // Ed25519: all its signatures have one length, so that every run has the same flight.
  const { key, cert } = shop.selfSigned("ed25519");
  for (const version of VERSIONS) {
    const only = { minVersion: version, maxVersion: version };
    const server = tls.createServer({ key, cert, ...only }, (socket) => socket.on("error", () => {}));
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    servers.push(server);
    ports.set(version, (server.address() as net.AddressInfo).port);
  }
});
afterAll(() => {
  for (const server of servers) server.close();
  shop.remove();
});

/** TLS 1.3 is what relays are spoken to with, TLS 1.2 what some web servers are. */
async function connect(version: Version, wrap: (pipe: ByteStream) => ByteStream) {
  return connectTls(wrap(socketPipe(await dial(ports.get(version) ?? 0))), {
    serverName: "www.relay.example",
    versions: version === "TLSv1.3" ? "1.3" : "1.2 and 1.3",
    clock: systemClock,
    timeout: version === "TLSv1.3" ? 3000 : 1000,
  });
}

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

async function handshake(version: Version, length: number, position: number, mask: number): Promise<unknown> {
  try {
    const connection = await connect(version, (pipe) => tampering(pipe, length, position, mask));
    connection.close();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Bytes from ServerHello to Finished. */
async function flightLength(version: Version): Promise<number> {
  let size = 0;
  let flight = 0;
  const connection = await connect(version, (pipe) => ({
    read: async () => {
      const chunk = await pipe.read();
      size += chunk?.length ?? 0;
      return chunk;
    },
    write: async (data) => {
      // The client's last write in TLS 1.3 answers the whole flight; in TLS 1.2 the server's Finished is still to come.
      if (size > 0) flight = size;
      await pipe.write(data);
    },
    close: (reason) => pipe.close(reason),
  }));
  if (version === "TLSv1.2") flight = size;
  connection.close();
  return flight;
}

it.each(VERSIONS)(
  "refuses a changed bit in every byte from ServerHello to Finished (%s)",
  async (version) => {
    const length = await flightLength(version);
    expect(length).toBeGreaterThan(500);
    // The whole flight unchanged passes, so that what is refused below is refused for its bit.
    expect(await handshake(version, length, length, 0)).toBeUndefined();
    const accepted: string[] = [];
    const codes = new Set<string>();
    for (let position = 0; position < length; position++) {
      const mask = 1 << (position % 8);
      const error = await handshake(version, length, position, mask);
      if (isTorError(error)) codes.add(error.code);
      else accepted.push(`byte ${position}, bit ${mask}: ${error}`);
    }
    expect(accepted).toEqual([]);
    expect(codes).not.toContain("ALLIUM_E_INTERNAL");
    // In TLS 1.2 the server waits for an answer before it is done: a length that grew has the client wait too.
    if (version === "TLSv1.3") expect(codes).not.toContain("ALLIUM_E_TLS_TIMEOUT");
    expect(codes).toContain("ALLIUM_E_TLS_BAD_RECORD");
  },
);
