// Where a page gets its bytes from: a WebSocket server in Node that behaves as a bridge with a relay behind it, or gives out what
// was prepared; in messages of 64 KiB, no more ahead of the application than the page's credit says.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { CONNECT_PATH, SUBPROTOCOL } from "../../../packages/bridge/src/shared/protocol.ts";
import { CELL, DATA } from "./onion-writer.ts";
import { messagesAhead } from "./pace.ts";
import type { PipelineStart, VersionName } from "./protocol.ts";
import { RelayLink, type Relays } from "./relay-link.ts";
import { CHUNK, type Synthetic } from "./synthetic.ts";

/** Application bytes in a DATA cell of format V1. */
const DATA_V1 = 488;
/** Header, inner type and tag of a record. */
const RECORD_OVERHEAD = 22;

/** What is given out: prepared with the keys of nobody, or by a relay once a client has a stream through it. */
export type Contents =
  | { readonly synthetic: Synthetic }
  | { readonly relays: Relays; readonly bytes: number };

export class PageSource {
  readonly #server: Server;
  readonly #contents: Contents;
  readonly #version: VersionName;
  readonly #recordLength: number;
  readonly #upgrader = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: () => SUBPROTOCOL,
  });
  #chunks: readonly Buffer[] = [];
  #socket: WebSocket | undefined;
  #sent = 0;
  #allowed: number;

  private constructor(server: Server, version: VersionName, recordLength: number, contents: Contents) {
    this.#server = server;
    this.#contents = contents;
    this.#version = version;
    this.#recordLength = recordLength;
    this.#allowed = messagesAhead(version);
  }

  static async start(version: VersionName, recordLength: number, contents: Contents): Promise<PageSource> {
    const server = createServer();
    const source = new PageSource(server, version, recordLength, contents);
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => {});
      source.#upgrader.handleUpgrade(request, socket, head, (ws) => {
        ws.on("error", () => {});
        if (request.url === "/credit") ws.on("message", (text) => source.#credit(Number(String(text))));
        else if (request.url === "/bytes") source.#give(ws);
        else if (request.url === CONNECT_PATH) source.#relay(ws);
        else ws.close();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return source;
  }

  /** What the page is told. */
  get description(): NonNullable<PipelineStart["source"]> {
    const { port } = this.#server.address() as AddressInfo;
    const url = `ws://127.0.0.1:${port}/`;
    const content = this.#recordLength / (this.#recordLength + RECORD_OVERHEAD);
    const perMessage = (CHUNK * content * (this.#version === "client-cgo" ? DATA_V1 : DATA)) / CELL;
    return "synthetic" in this.#contents
      ? { url, perMessage, keys: this.#contents.synthetic.keys }
      : { url, perMessage, targets: this.#contents.relays.targets };
  }

  close(): void {
    for (const ws of this.#upgrader.clients) ws.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #credit(allowed: number): void {
    this.#allowed = allowed;
    this.#pump();
  }

  #give(ws: WebSocket): void {
    if (!("synthetic" in this.#contents)) return ws.close();
    this.#socket = ws;
    this.#chunks = this.#contents.synthetic.chunks;
    this.#pump();
  }

  /** The first message names the relay; all others are the link's, until the download is prepared. */
  #relay(ws: WebSocket): void {
    const contents = this.#contents;
    if (!("relays" in contents)) return ws.close();
    const link = new RelayLink(contents.relays, this.#recordLength, (bytes) => ws.send(bytes));
    let messages = 0;
    ws.on("message", (bytes: Buffer) => {
      if (messages++ > 0 && this.#socket === undefined) link.receive(bytes);
    });
    link.begun.then(async () => {
      this.#chunks = await link.download(contents.bytes);
      this.#socket = ws;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#socket === undefined) return;
    for (; this.#sent < Math.min(this.#allowed, this.#chunks.length); this.#sent++)
      this.#socket.send(this.#chunks[this.#sent] as Buffer);
    if (this.#sent === this.#chunks.length && "synthetic" in this.#contents) this.#socket.close();
  }
}
