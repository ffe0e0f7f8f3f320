// A directory cache of our own: a TLS server that speaks the relay's side of the link (tor-spec 4), with scripted relay
// circuits behind it, and answers directory requests with whatever documents it is told to.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { type NetworkConfig, systemClock } from "@allium/core";
import { type ExitStream, RelayCircuit } from "@allium/core/testing";
import { makeRelayIdentity } from "./relay-identity.ts";

const BODY = 509;
const DESTROY = 4;
const CONNECTED = 4;

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
    if (command === DESTROY) this.#circuits.delete(circuitId);
    else if (circuitId !== 0) this.#circuit(circuitId).receive(command, body);
  }

  #circuit(circuitId: number): RelayCircuit {
    const known = this.#circuits.get(circuitId);
    if (known !== undefined) return known;
    const send = (command: number, body: Uint8Array) =>
      void this.#socket.write(fixedCell(circuitId, command, body));
    const circuit = new RelayCircuit({ relays: [], clock: systemClock, send });
    circuit.behaviour.begin = (stream) => this.#directoryStream(stream);
    this.#circuits.set(circuitId, circuit);
    return circuit;
  }

  #directoryStream(stream: ExitStream): void {
    let request = "";
    stream.onData = (data) => {
      request += Buffer.from(data).toString("latin1");
      if (!request.includes("\r\n\r\n")) return;
      void stream.send(answer(this.#documents(request.split(" ")[1] as string))).then(() => stream.end());
    };
    stream.message({ command: CONNECTED });
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

function answer(document: Uint8Array | undefined): Uint8Array {
  const status = document === undefined ? "404 Not found" : "200 OK";
  const head = `HTTP/1.0 ${status}\r\nContent-Encoding: identity\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), document ?? Buffer.alloc(0)]);
}
