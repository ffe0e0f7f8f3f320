// A directory cache of our own: a TLS server that speaks the relay's side of the link (tor-spec 4), CREATE_FAST, tor1 and
// BEGIN_DIR, and answers directory requests with whatever documents it is told to.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { NetworkConfig } from "@allium/core";
import { RunningSha1 } from "../../packages/core/src/crypto/hash.ts";
import { kdfTor } from "../../packages/core/src/crypto/kdf.ts";
import { AesCtrKeystream } from "../../packages/core/src/crypto/keystream.ts";
import { makeRelayIdentity } from "./relay-identity.ts";

const BODY = 509;
const DATA = 498;

/** The document for a request's path, or undefined for a 404. */
export type Documents = (path: string) => Uint8Array | undefined;

export interface EvilRelay {
  /** The entry that makes a client trust this relay as a fallback directory. */
  readonly fallback: NetworkConfig["fallbacks"][number];
  /** Paths asked for so far. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** Starts the relay on a free port of 127.0.0.1. */
export async function startEvilRelay(documents: Documents): Promise<EvilRelay> {
  const identity = makeRelayIdentity();
  const requests: string[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    { ...identity.tls, minVersion: "TLSv1.3", ecdhCurve: "P-256:X25519" },
    (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      const log = (path: string) => {
        requests.push(path);
        return documents(path);
      };
      new RelayLink(socket, identity.certs, log);
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    fallback: { rsaId: identity.rsaId, ed25519Id: identity.ed25519Id, orPorts: [`127.0.0.1:${port}`] },
    requests,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** One client's link, with one circuit at a time per id. */
class RelayLink {
  readonly #socket: TLSSocket;
  readonly #certs: Uint8Array;
  readonly #documents: Documents;
  readonly #circuits = new Map<number, RelayCircuit>();
  #received = Buffer.alloc(0);
  #versionsDone = false;

  constructor(socket: TLSSocket, certs: Uint8Array, documents: Documents) {
    this.#socket = socket;
    this.#certs = certs;
    this.#documents = documents;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      while (this.#nextCell()) {}
    });
  }

  #nextCell(): boolean {
    const bytes = this.#received;
    if (!this.#versionsDone) {
      if (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) return false;
      this.#received = bytes.subarray(5 + bytes.readUInt16BE(3));
      this.#versionsDone = true;
      this.#greet();
      return true;
    }
    if (bytes.length < 5 + BODY) return false;
    this.#received = bytes.subarray(5 + BODY);
    this.#onCell(bytes.readUInt32BE(0), bytes[4] as number, Buffer.from(bytes.subarray(5, 5 + BODY)));
    return true;
  }

  #greet(): void {
    const versions = Buffer.from([0, 0, 7, 0, 4, 0, 4, 0, 5]);
    const challenge = Buffer.concat([Buffer.alloc(32, 1), Buffer.from([0, 1, 0, 3])]);
    const netinfo = Buffer.alloc(BODY);
    netinfo.writeUInt32BE(Math.floor(Date.now() / 1000));
    Buffer.from([4, 4, 127, 0, 0, 1, 1, 4, 4, 127, 0, 0, 1]).copy(netinfo, 4);
    this.#socket.write(
      Buffer.concat([
        versions,
        variableCell(129, this.#certs),
        variableCell(130, challenge),
        fixedCell(0, 8, netinfo),
      ]),
    );
  }

  #onCell(circuitId: number, command: number, body: Buffer): void {
    if (command === 5) {
      const circuit = new RelayCircuit(body.subarray(0, 20), this.#documents, (command, reply) =>
        this.#socket.write(fixedCell(circuitId, command, reply)),
      );
      this.#circuits.set(circuitId, circuit);
    } else if (command === 3 || command === 9) {
      this.#circuits.get(circuitId)?.onRelayCell(body);
    } else if (command === 4) {
      this.#circuits.delete(circuitId);
    }
  }
}

function variableCell(command: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, command, body.length >> 8, body.length & 255]), body]);
}

function fixedCell(circuitId: number, command: number, body: Uint8Array): Buffer {
  const cell = Buffer.alloc(5 + BODY);
  cell.writeUInt32BE(circuitId);
  cell[4] = command;
  cell.set(body, 5);
  return cell;
}

/** The relay's end of a circuit made by CREATE_FAST, with directory streams only. */
class RelayCircuit {
  readonly #documents: Documents;
  readonly #send: (command: number, body: Uint8Array) => void;
  readonly #forward: AesCtrKeystream;
  readonly #backward: AesCtrKeystream;
  readonly #backwardDigest = new RunningSha1();
  readonly #requests = new Map<number, string>();

  constructor(x: Uint8Array, documents: Documents, send: (command: number, body: Uint8Array) => void) {
    this.#documents = documents;
    this.#send = send;
    const y = Buffer.alloc(20, 9);
    const keys = kdfTor(Buffer.concat([x, y]), 92);
    this.#backwardDigest.update(keys, 40, 60);
    this.#forward = new AesCtrKeystream(keys.subarray(60, 76));
    this.#backward = new AesCtrKeystream(keys.subarray(76, 92));
    send(6, Buffer.concat([y, keys.subarray(0, 20)]));
  }

  onRelayCell(body: Buffer): void {
    this.#forward.xor(body);
    const streamId = body.readUInt16BE(3);
    if (body[0] === 13) {
      this.#requests.set(streamId, "");
      this.#reply(4, streamId, Buffer.alloc(0));
    } else if (body[0] === 2 && this.#requests.has(streamId)) {
      const text = this.#requests.get(streamId) + body.toString("latin1", 11, 11 + body.readUInt16BE(9));
      this.#requests.set(streamId, text);
      if (text.includes("\r\n\r\n")) this.#answer(streamId, text);
    }
  }

  #answer(streamId: number, request: string): void {
    this.#requests.delete(streamId);
    const document = this.#documents(request.split(" ")[1] as string);
    const head =
      document === undefined
        ? "HTTP/1.0 404 Not found\r\n\r\n"
        : "HTTP/1.0 200 OK\r\nContent-Encoding: identity\r\n\r\n";
    const answer = Buffer.concat([Buffer.from(head), document ?? Buffer.alloc(0)]);
    for (let at = 0; at < answer.length; at += DATA) this.#reply(2, streamId, answer.subarray(at, at + DATA));
    this.#reply(3, streamId, Buffer.from([6]));
  }

  #reply(command: number, streamId: number, data: Uint8Array): void {
    const body = Buffer.alloc(BODY);
    body[0] = command;
    body.writeUInt16BE(streamId, 3);
    body.writeUInt16BE(data.length, 9);
    body.set(data, 11);
    this.#backwardDigest.update(body);
    body.set(this.#backwardDigest.peek().subarray(0, 4), 5);
    this.#backward.xor(body);
    this.#send(3, body);
  }
}
