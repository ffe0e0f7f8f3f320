// SOCKS5 with a host name (RFC 1928, 1929), and a GET over it: how the C tor client is used as the baseline.

import { once } from "node:events";
import http from "node:http";
import net from "node:net";

const replies = [
  "succeeded",
  "general failure",
  "not allowed",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
];

async function readExactly(socket: net.Socket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes: Buffer | null = socket.read(length);
    if (bytes !== null && bytes.length === length) return bytes;
    if (socket.readableEnded || socket.destroyed || bytes !== null) throw new Error("SOCKS: closed early");
    await Promise.race([once(socket, "readable"), once(socket, "close")]);
  }
}

/** CONNECT to a host name. */
export function connectRequest(target: { readonly host: string; readonly port: number }): Buffer {
  const name = Buffer.from(target.host, "ascii");
  const port = Buffer.from([target.port >> 8, target.port & 255]);
  return Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, port]);
}

const NO_AUTHENTICATION = 0;
const USER_NAME = 2;

/** The greeting that offers one method of authentication. */
export function greetingRequest(isolation: string | undefined): Buffer {
  return Buffer.from([5, 1, isolation === undefined ? NO_AUTHENTICATION : USER_NAME]);
}

/** A user name (RFC 1929): tor never lets different ones share a circuit. */
export function isolationRequest(isolation: string): Buffer {
  const name = Buffer.from(isolation, "ascii");
  return Buffer.concat([Buffer.from([1, name.length]), name, Buffer.from([1, 0x78])]);
}

/**
 * Opens a TCP stream to `host:port` through the proxy.
 * @param isolation streams with different ones share no circuit
 */
export async function socksConnect(
  proxy: { readonly host: string; readonly port: number },
  target: { readonly host: string; readonly port: number },
  timeout: number,
  isolation?: string,
): Promise<net.Socket> {
  const socket = net.connect({ host: proxy.host, port: proxy.port, noDelay: true });
  socket.setTimeout(timeout, () => socket.destroy(new Error("SOCKS: timed out")));
  try {
    await once(socket, "connect");
    socket.write(greetingRequest(isolation));
    const greeting = await readExactly(socket, 2);
    if (greeting[1] !== (isolation === undefined ? NO_AUTHENTICATION : USER_NAME))
      throw new Error("SOCKS: another authentication wanted");
    if (isolation !== undefined) {
      socket.write(isolationRequest(isolation));
      if ((await readExactly(socket, 2))[1] !== 0) throw new Error("SOCKS: the user name is refused");
    }
    socket.write(connectRequest(target));
    const answer = await readExactly(socket, 10);
    const code = answer[1] ?? 1;
    if (code !== 0) throw new Error(`SOCKS: ${replies[code] ?? code}`);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** GETs `url` through the proxy and answers with the response; its body is a stream. */
export async function socksGet(
  proxy: { readonly host: string; readonly port: number },
  url: string,
  timeout: number,
): Promise<http.IncomingMessage> {
  const { hostname, port } = new URL(url);
  const socket = await socksConnect(proxy, { host: hostname, port: Number(port) || 80 }, timeout);
  const request = http.get(url, { createConnection: () => socket, timeout });
  request.on("timeout", () => request.destroy(new Error("HTTP over SOCKS: timed out")));
  const [response] = await once(request, "response");
  return response;
}
