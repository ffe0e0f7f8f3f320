// What the interop tests of TLS share: servers that end with their test, and the client's side of a web connection.

import type net from "node:net";
import tls from "node:tls";
import { afterAll, afterEach } from "vitest";
import { systemClock } from "../../packages/core/src/base/clock.ts";
import { connectTls, type TlsConnection, type TlsOptions } from "../../packages/core/src/tls/connect.ts";
import { CertificateShop, dial, type KeyKind, OpensslServer, socketPipe } from "./tls-servers.ts";

export class Servers {
  readonly shop = new CertificateShop();
  readonly #cleanups: (() => void)[] = [];

  constructor() {
    afterEach(() => {
      for (const cleanup of this.#cleanups.splice(0)) cleanup();
    });
    afterAll(() => this.shop.remove());
  }

  async openssl(kind: KeyKind | "relay", ...args: readonly string[]): Promise<OpensslServer> {
    const credentials = kind === "relay" ? this.shop.relay() : this.shop.selfSigned(kind);
    const server = await OpensslServer.start(credentials, ...args);
    this.#cleanups.push(() => server.stop());
    return server;
  }

  async node(
    options: tls.TlsOptions,
    onConnection: (socket: tls.TLSSocket) => void,
  ): Promise<{ port: number; server: tls.Server }> {
    const { key, cert } = this.shop.selfSigned("ecdsa-p256");
    const server = tls.createServer({ key, cert, ...options });
    const sockets = new Set<net.Socket>();
    server.on("connection", (socket: net.Socket) => sockets.add(socket));
    server.on("secureConnection", (socket) => {
      socket.on("error", () => {});
      onConnection(socket);
    });
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#cleanups.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return { port: (server.address() as net.AddressInfo).port, server };
  }
}

/** Connects as to a web server. */
export async function connectWeb(port: number, options: Partial<TlsOptions> = {}): Promise<TlsConnection> {
  const pipe = socketPipe(await dial(port));
  return connectTls(pipe, {
    serverName: "www.web.example",
    versions: "1.2 and 1.3",
    faultKind: "remote-tls",
    clock: systemClock,
    timeout: 5000,
    ...options,
  });
}
