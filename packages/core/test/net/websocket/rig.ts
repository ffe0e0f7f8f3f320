// What the tests of WebSockets share: a peer that answers the opening handshake as it is told and then sends what a test says,
// byte by byte if need be, and notes the frames that come.

import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { isTorError, type TorError } from "../../../src/base/errors.ts";
import type { Clock } from "../../../src/base/ports.ts";
import type {
  TorWebSocket,
  TorWebSocketConstructor,
  TorWebSocketErrorEvent,
} from "../../../src/net/websocket/api.ts";
import { openThrough, type WebSocketContext } from "../../../src/net/websocket/connection.ts";
import { makeWebSocket } from "../../../src/net/websocket/websocket.ts";
import { loopbackOpener, tcpServer } from "../streams.ts";

/** A frame as the server gets it, unmasked. */
export interface Frame {
  readonly first: number;
  readonly mask: Buffer;
  readonly payload: Buffer;
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export function acceptFor(key: string): string {
  return createHash("sha1")
    .update(key + GUID)
    .digest("base64");
}

/** A server's frame; `bits` are FIN, the reserved ones and the opcode. */
export function frame(bits: number, payload: Uint8Array | string = ""): Buffer {
  const body = Buffer.from(payload as string);
  const { length } = body;
  if (length < 126) return Buffer.concat([Buffer.of(bits, length), body]);
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = bits;
  if (length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, body]);
}

/** A Close frame. */
export function closeFrame(code?: number, reason: Uint8Array | string = ""): Buffer {
  if (code === undefined) return frame(0x88);
  return frame(0x88, Buffer.concat([Buffer.of(code >> 8, code & 255), Buffer.from(reason as string)]));
}

/** What the server sees of one connection. */
export class Peer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  head = "";
  #rest: Buffer = Buffer.alloc(0);
  ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("end", () => {
      this.ended = true;
    });
  }

  /** The value of a request field, or undefined. */
  field(name: string): string | undefined {
    return new RegExp(`^${name}: (.*)\r$`, "im").exec(this.head)?.[1];
  }

  async readHead(): Promise<void> {
    for await (const chunk of this.socket.iterator({ destroyOnReturn: false })) {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) continue;
      this.head = this.#rest.subarray(0, end + 2).toString("latin1");
      this.#rest = this.#rest.subarray(end + 4);
      break;
    }
    this.socket.on("data", (chunk) => this.#take(chunk));
  }

  accept(extra = ""): void {
    this.socket.write(this.acceptance(extra));
  }

  acceptance(extra = ""): string {
    const key = this.field("Sec-WebSocket-Key") as string;
    return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n${extra}\r\n`;
  }

  send(...parts: readonly (Uint8Array | string)[]): void {
    for (const part of parts) this.socket.write(part);
  }

  /** The code of the Close frame that has come; 1005 where it has none, undefined where none has come. */
  get closeCode(): number | undefined {
    const close = this.frames.find(({ first }) => first === 0x88);
    if (close === undefined) return undefined;
    return close.payload.length === 0 ? 1005 : close.payload.readUInt16BE(0);
  }

  #take(chunk: Buffer): void {
    const { frames, rest } = clientFrames(Buffer.concat([this.#rest, chunk]));
    this.frames.push(...frames);
    this.#rest = rest;
  }
}

/** The whole frames at the beginning of what a client sent, unmasked, and what is left. */
export function clientFrames(bytes: Buffer): { frames: Frame[]; rest: Buffer<ArrayBuffer> } {
  const frames: Frame[] = [];
  let rest = Buffer.from(bytes);
  for (;;) {
    const [first = 0, second = 0] = rest;
    const short = second & 127;
    const size = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (rest.length < size) return { frames, rest };
    const length =
      short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short;
    if (rest.length < size + 4 + length) return { frames, rest };
    expect(second & 128, "a client's frame is masked").toBe(128);
    const mask = rest.subarray(size, size + 4);
    const payload = rest
      .subarray(size + 4, size + 4 + length)
      .map((byte, i) => byte ^ (mask[i & 3] as number));
    frames.push({ first, mask, payload: Buffer.from(payload) });
    rest = rest.subarray(size + 4 + length);
  }
}

/** What a page sees of one WebSocket, in order: "open", each message, "error", "close 1000 reason clean". */
export interface Seen {
  readonly socket: TorWebSocket;
  readonly events: unknown[];
  readonly error: () => TorError | undefined;
  readonly opened: Promise<void>;
  /** Settles with the `close` event. */
  readonly closed: Promise<CloseEvent>;
}

export function watch(socket: TorWebSocket): Seen {
  const events: unknown[] = [];
  let error: TorError | undefined;
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) =>
    events.push(typeof data === "string" ? data : Buffer.from(data as ArrayBuffer));
  const opened = new Promise<void>((resolve) => {
    socket.onopen = () => {
      events.push("open");
      resolve();
    };
  });
  socket.onerror = (event: TorWebSocketErrorEvent) => {
    if (!isTorError(event.error)) throw new Error("an error event without a TorError");
    ({ error } = event);
    events.push("error");
  };
  const closed = new Promise<CloseEvent>((resolve) => {
    socket.onclose = (event) => {
      events.push(`close ${event.code}${event.wasClean ? " clean" : ""}`);
      resolve(event);
    };
  });
  return { socket, events, error: () => error, opened, closed };
}

export interface Server {
  readonly WebSocket: TorWebSocketConstructor;
  readonly peers: Peer[];
  readonly context: WebSocketContext;
}

/** A TCP server for this test that reads each connection's request head, then does what `handle` says. */
export async function serve(
  handle: (peer: Peer) => void = (peer) => peer.accept(),
  options: { readonly clock?: Clock; readonly maxMessage?: number } = {},
): Promise<Server> {
  const peers: Peer[] = [];
  const server = await tcpServer(async (socket) => {
    const peer = new Peer(socket);
    await peer.readHead();
    peers.push(peer);
    handle(peer);
  });
  onTestFinished(() => {
    server.close();
    for (const { socket } of peers) socket.destroy();
  });
  const context = { open: openThrough(loopbackOpener(server)), clock: systemClock, ...options };
  return { WebSocket: makeWebSocket(context), peers, context };
}

/** A WebSocket that is open, and the server's side of it. */
export async function connected(
  options?: Parameters<typeof serve>[1],
): Promise<Seen & { readonly peer: Peer }> {
  const { WebSocket, peers } = await serve(undefined, options);
  const seen = watch(new WebSocket("ws://site.example/chat"));
  await seen.opened;
  return { ...seen, peer: peers[0] as Peer };
}
