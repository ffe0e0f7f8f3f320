// The relay's side of a link: TLS 1.3 by OpenSSL as C tor's relays have it, the link handshake (tor-spec 4), one scripted circuit.
// Bytes come and go by calls; once the client's stream is connected, a download is sealed in advance into records of a given length.

import { Duplex } from "node:stream";
import { createSecureContext, TLSSocket } from "node:tls";
import { nodeCiphers } from "@allium/bridge";
import { systemClock } from "@allium/core";
import {
  connected,
  type ExitStream,
  RelayCircuit,
  type ScriptedRelay,
  scriptedRelay,
} from "@allium/core/testing";
import { makeRelayIdentity } from "../../hostile/relay-identity.ts";
import { BODY, CELL } from "./onion-writer.ts";
import type { TargetInHex } from "./protocol.ts";
import { CHUNK, cut } from "./synthetic.ts";

const HOPS = 3;
const DATA_COMMAND = 2;
/** What C tor's relays choose. */
const CIPHER = "TLS_AES_256_GCM_SHA384";

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The relays of a circuit; made once, used by as many links as one likes. */
export class Relays {
  readonly identity: ReturnType<typeof makeRelayIdentity>;
  readonly scripted: readonly ScriptedRelay[];

  private constructor(identity: ReturnType<typeof makeRelayIdentity>, scripted: readonly ScriptedRelay[]) {
    this.identity = identity;
    this.scripted = scripted;
  }

  static async make(): Promise<Relays> {
    const identity = makeRelayIdentity();
    const [guard, ...others] = await Promise.all(Array.from({ length: HOPS }, scriptedRelay));
    const rsaId = Uint8Array.from(Buffer.from(identity.rsaId, "hex"));
    const ed25519Id = Uint8Array.from(Buffer.from(identity.ed25519Id, "base64"));
    return new Relays(identity, [{ ...(guard as ScriptedRelay), rsaId, ed25519Id }, ...others]);
  }

  get targets(): TargetInHex[] {
    return this.scripted.map(({ rsaId, ed25519Id, ntorOnionKey }) => ({
      rsaId: hex(rsaId),
      ed25519Id: hex(ed25519Id),
      ntorOnionKey: hex(ntorOnionKey),
    }));
  }
}

export class RelayLink {
  readonly #relays: Relays;
  readonly #circuit: RelayCircuit;
  readonly #wire: Duplex;
  readonly #tls: TLSSocket;
  /** Settles when the client's stream is connected. */
  readonly begun: Promise<ExitStream>;
  #received = Buffer.alloc(0);
  #hasVersions = false;
  #circuitId = 0;
  #onBytes: (bytes: Buffer) => void;
  #onCell: (cell: Buffer) => void = (cell) => void this.#tls.write(cell);

  /**
   * @param recordLength content bytes of a record, at most 16384
   * @param onBytes takes what goes to the client
   */
  constructor(relays: Relays, recordLength: number, onBytes: (bytes: Buffer) => void) {
    this.#relays = relays;
    this.#onBytes = onBytes;
    this.#wire = new Duplex({
      read() {},
      write: (bytes: Buffer, _encoding, done) => {
        this.#onBytes(bytes);
        done();
      },
    });
    this.#tls = new TLSSocket(this.#wire, {
      isServer: true,
      secureContext: createSecureContext({
        ...relays.identity.tls,
        minVersion: "TLSv1.3",
        ciphers: CIPHER,
        ecdhCurve: "P-256:X25519",
      }),
    });
    if (!this.#tls.setMaxSendFragment(recordLength)) throw new Error(`no records of ${recordLength} bytes`);
    this.#tls.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#circuit = new RelayCircuit({
      relays: relays.scripted,
      clock: systemClock,
      ciphers: nodeCiphers(),
      send: (command, body) => this.#onCell(cellOf(this.#circuitId, command, body)),
    });
    this.begun = new Promise((resolve) => {
      this.#circuit.behaviour.begin = (stream) => {
        stream.message(connected("93.184.216.34"));
        resolve(stream);
      };
    });
  }

  /** Takes what the client sends. */
  receive(bytes: Uint8Array): void {
    this.#wire.push(Buffer.from(bytes));
  }

  /** The records of a download of `bytes`, in pieces of CHUNK. Nothing else may be sent any more. */
  async download(bytes: number): Promise<Buffer[]> {
    const cells = this.#cells(await this.begun, bytes);
    const { name } = this.#tls.getCipher();
    if (name !== CIPHER) throw new Error(`the link is encrypted with ${name}`);
    const sealed: Buffer[] = [];
    this.#onBytes = (piece) => sealed.push(Buffer.from(piece));
    for (const piece of cut(cells, 64 * CHUNK)) {
      await new Promise<void>((resolve, reject) =>
        this.#tls.write(piece, (error) => (error ? reject(error) : resolve())),
      );
    }
    return cut(Buffer.concat(sealed), CHUNK);
  }

  /** DATA cells with at least `bytes` on a stream: zeros, since what arrives is checked by its digest. */
  #cells({ id, hop }: ExitStream, bytes: number): Buffer {
    const circuit = this.#circuit;
    const data = new Uint8Array(circuit.hop(hop).format.maxData(DATA_COMMAND));
    const cells: Buffer[] = [];
    this.#onCell = (cell) => cells.push(cell);
    for (let done = 0; done < bytes; done += data.length) circuit.send(hop, DATA_COMMAND, id, data);
    return Buffer.concat(cells);
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    if (!this.#hasVersions) {
      if (this.#received.length < 5 || this.#received.length < 5 + this.#received.readUInt16BE(3)) return;
      this.#received = this.#received.subarray(5 + this.#received.readUInt16BE(3));
      this.#hasVersions = true;
      this.#greet();
    }
    for (; this.#received.length >= CELL; this.#received = this.#received.subarray(CELL)) {
      const cell = this.#received.subarray(0, CELL);
      this.#circuitId = cell.readUInt32BE(0);
      // NETINFO is of no circuit.
      if (this.#circuitId !== 0) this.#circuit.receive(cell[4] as number, cell.subarray(CELL - BODY));
    }
  }

  /** VERSIONS, CERTS, AUTH_CHALLENGE, NETINFO. */
  #greet(): void {
    const { certs } = this.#relays.identity;
    const challenge = Buffer.concat([Buffer.alloc(32, 1), Buffer.from([0, 1, 0, 3])]);
    const netinfo = Buffer.alloc(CELL);
    netinfo[4] = 8;
    netinfo.writeUInt32BE(Math.floor(Date.now() / 1000), 5);
    Buffer.from([4, 4, 127, 0, 0, 1, 1, 4, 4, 127, 0, 0, 1]).copy(netinfo, 9);
    const cells = [Buffer.from([0, 0, 7, 0, 4, 0, 4, 0, 5]), variable(129, certs), variable(130, challenge)];
    this.#tls.write(Buffer.concat([...cells, netinfo]));
  }
}

function variable(command: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, command, body.length >> 8, body.length & 255]), body]);
}

function cellOf(circuitId: number, command: number, body: Uint8Array): Buffer {
  const cell = Buffer.alloc(CELL);
  cell.writeUInt32BE(circuitId);
  cell[4] = command;
  cell.set(body, CELL - BODY);
  return cell;
}
