// The agent that uses C tor: an application on its SOCKS port, in a process of its own, as lean as Node lets it be.

import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { WebSocket } from "ws";
import { connectRequest, greetingRequest, isolationRequest, socksConnect } from "../../tornet/socks.ts";
import { echo } from "./echo.ts";
import type { Question, Questions, SecureTransfer, SocksStart, Transfer } from "./protocol.ts";
import { serve, startOf } from "./serve.ts";

const TIMEOUT = 300_000;
const BLOCK = 256 * 1024;

const { socks, destination } = startOf<SocksStart>();
const site = new URL(destination.url);
const siteTarget = { host: site.hostname, port: Number(site.port) };
let held: net.Socket[] = [];

function head(method: string, path: string, length = 0): string {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${site.host}`, "Connection: close"];
  if (method === "POST") lines.push(`Content-Length: ${length}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** Counts a response's body until the connection ends. */
async function bodyOf(socket: net.Socket, keep = false): Promise<{ bytes: number; text: string }> {
  let before = "";
  let inBody = false;
  let bytes = 0;
  let text = "";
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    let body = chunk;
    if (!inBody) {
      before += chunk.toString("latin1");
      const end = before.indexOf("\r\n\r\n");
      if (end < 0) continue;
      inBody = true;
      body = Buffer.from(before.slice(end + 4), "latin1");
    }
    bytes += body.length;
    if (keep) text += body.toString("latin1");
  }
  return { bytes, text };
}

/** With TLS, as Node has it, where the bench asks for that. */
async function open(isolation: string, isSecure: boolean): Promise<net.Socket> {
  if (!isSecure) return socksConnect(socks, siteTarget, TIMEOUT, isolation);
  const { hostname: host, port } = new URL(destination.https.url);
  const socket = await socksConnect(socks, { host, port: Number(port) }, TIMEOUT, isolation);
  const secured = tls.connect({ socket, host, ca: destination.https.root });
  await once(secured, "secureConnect");
  return secured;
}

async function get(path: string, isolation: string, isSecure = false): Promise<number> {
  const socket = await open(isolation, isSecure);
  socket.write(head("GET", path));
  return (await bodyOf(socket)).bytes;
}

async function download(length: number, isolation: string, isSecure = false): Promise<void> {
  const bytes = await get(`/bytes/${length}`, isolation, isSecure);
  if (bytes !== length) throw new Error(`${bytes} bytes came of ${length}`);
}

async function upload(length: number, isolation: string, isSecure = false): Promise<void> {
  const socket = await open(isolation, isSecure);
  const answered = bodyOf(socket, true);
  socket.write(head("POST", "/sink", length));
  const block = Buffer.alloc(Math.min(BLOCK, length));
  for (let left = length; left > 0; left -= block.length) {
    if (!socket.write(block.subarray(0, Math.min(left, block.length)))) await once(socket, "drain");
  }
  const { bytes } = JSON.parse((await answered).text) as { bytes: number };
  if (bytes !== length) throw new Error(`${bytes} bytes arrived of ${length}`);
}

async function transfer({ direction, bytes, streams, circuits }: Transfer): Promise<{ ms: number }> {
  const one = direction === "down" ? download : upload;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: streams }, (_, i) => one(bytes / streams, circuits[i % circuits.length] as string)),
  );
  return { ms: performance.now() - began };
}

async function secure({ what, bytes, circuit }: SecureTransfer): Promise<{ ms: number }> {
  const began = performance.now();
  if (what === "down") await download(bytes, circuit, true);
  else if (what === "up") await upload(bytes, circuit, true);
  else {
    const socket = await open(circuit, true);
    const url = `${destination.https.url.replace(/^http/, "ws")}echo`;
    await echo(new WebSocket(url, { createConnection: () => socket, perMessageDeflate: false }), bytes);
  }
  return { ms: performance.now() - began };
}

/** Whether or not the request waits for SOCKS's answer, which waits for the exit's CONNECTED. */
async function firstByte(isolation: string, optimistic: boolean): Promise<{ ms: number }> {
  const began = performance.now();
  if (!optimistic) {
    const socket = await socksConnect(socks, siteTarget, TIMEOUT, isolation);
    socket.write(head("GET", "/"));
    await once(socket, "readable");
    const ms = performance.now() - began;
    await bodyOf(socket);
    return { ms };
  }
  const socket = net.connect({ ...socks, noDelay: true });
  const requests = [greetingRequest(isolation), isolationRequest(isolation), connectRequest(siteTarget)];
  socket.write(Buffer.concat([...requests, Buffer.from(head("GET", "/"))]));
  let received = "";
  let ms = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received += chunk.toString("latin1");
    if (ms === 0 && received.includes("HTTP/1.1 200")) ms = performance.now() - began;
  }
  if (ms === 0) throw new Error("no page came");
  return { ms };
}

async function hold(streams: number, circuits: readonly string[]): Promise<void> {
  const { address: host, port } = destination.echo;
  for (let i = 0; i < streams; i++) {
    held.push(await socksConnect(socks, { host, port }, TIMEOUT, circuits[i % circuits.length] as string));
  }
}

function release(): void {
  for (const socket of held) socket.destroy();
  held = [];
}

const handlers: Partial<{ [K in keyof Questions]: (question: Questions[K]["question"]) => unknown }> = {
  prepare: async ({ circuits }) => {
    for (const isolation of circuits) await get("/", isolation);
  },
  transfer,
  secure,
  firstByte: ({ circuit, optimistic }) => firstByte(circuit, optimistic),
  hold: ({ streams, circuits }) => hold(streams, circuits),
  release,
  memory: () => ({ heap: 0, buffers: 0 }),
};

serve(async (question: Question) => {
  const handler = handlers[question.ask] as ((question: Question) => unknown) | undefined;
  if (handler === undefined) throw new Error(`C tor's application cannot ${question.ask}`);
  return (await handler(question)) ?? null;
});
