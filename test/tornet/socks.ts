// SOCKS5 with a host name (RFC 1928), and a GET over it: how the C tor client is used as the baseline.

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

/** Opens a TCP stream to `host:port` through the proxy. */
export async function socksConnect(
  proxy: { readonly host: string; readonly port: number },
  target: { readonly host: string; readonly port: number },
  timeout: number,
): Promise<net.Socket> {
  const socket = net.connect({ host: proxy.host, port: proxy.port, noDelay: true });
  socket.setTimeout(timeout, () => socket.destroy(new Error("SOCKS: timed out")));
  try {
    await once(socket, "connect");
    socket.write(Buffer.from([5, 1, 0]));
    const greeting = await readExactly(socket, 2);
    if (greeting[1] !== 0) throw new Error("SOCKS: authentication wanted");
    const name = Buffer.from(target.host, "ascii");
    const port = Buffer.from([target.port >> 8, target.port & 255]);
    socket.write(Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, port]));
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
