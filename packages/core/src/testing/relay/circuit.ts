// The relays' side of one circuit (tor-spec 5, 6, 7): hops with real handshakes and real relay crypto, which speak the
// protocol correctly and send whatever else a test tells them to. Where its cells come from and go to is the user's:
// channel.ts has a channel in memory.

import { concat, Writer } from "../../base/bytes.ts";
import type { Ciphers, Clock } from "../../base/ports.ts";
import { randomBytes } from "../../base/random.ts";
import { type CongestionParams, congestionParams } from "../../circuit/flow/params.ts";
import { cellBody, decodeCreate2, type HandshakeData } from "../../circuit/handshake/create-cells.ts";
import type { NegotiatedHop } from "../../circuit/handshake/negotiation.ts";
import { NTOR_V3_TYPE } from "../../circuit/handshake/ntor-v3.ts";
import type { HopLayer } from "../../circuit/hop-layer.ts";
import { RelayCommand } from "../../circuit/relaycell/command.ts";
import type { RelayHeader } from "../../circuit/relaycell/format.ts";
import {
  decodeMessage,
  type Extend2,
  encodeMessage,
  type RelayMessage,
  type Resolve,
} from "../../circuit/relaycell/messages.ts";
import { CellBody } from "../../circuit/relaycrypto/cell-body.ts";
import { kdfTor } from "../../crypto/kdf.ts";
import { COMMAND } from "../../link/commands.ts";
import { ExitStream } from "./exit-stream.ts";
import { answerExtensions, answerNtor, answerNtorV3, type RelayPolicy } from "./handshakes.ts";
import type { ScriptedRelay } from "./keys.ts";
import { keyMaterialLength, relayLayer } from "./layer.ts";
import { addressBytes, connected } from "./messages.ts";

/** What a relay got: the hop that recognised it, the cell, and whether it came as RELAY_EARLY. */
export interface ReceivedRelayCell {
  readonly hop: number;
  readonly early: boolean;
  readonly command: number;
  readonly streamId: number;
  readonly data: Uint8Array;
  /** All 509 bytes, layers off. */
  readonly body: Uint8Array;
  readonly tag: Uint8Array;
}

export interface RelayHop extends HopLayer {
  /** Undefined after CREATE_FAST, which names nobody. */
  readonly relay: ScriptedRelay | undefined;
  /** What the client asked for in an ntor-v3 handshake. */
  readonly asked: Uint8Array | undefined;
  readonly streams: Map<number, ExitStream>;
}

/** What the relays do; everything can be replaced by a test. */
export interface RelayBehaviour {
  /** A stream was begun; by default it is connected to 93.184.216.34. */
  begin: (stream: ExitStream) => void;
  /** The addresses of a name; undefined where RESOLVE is to have no answer. By default each name has 93.184.216.34. */
  resolve: (hostname: string) => readonly string[] | undefined;
  /** Looks at every relay cell before the relay acts; `true` means that the test has dealt with it. */
  intercept: (received: ReceivedRelayCell) => boolean;
  /** Changes the handshake reply of CREATED2 and EXTENDED2 (and CREATED_FAST). */
  reply: (reply: Uint8Array) => Uint8Array;
  /** Whether create and extend are answered at all. */
  answers: boolean;
  /** Whether stream-level SENDMEs, XON and XOFF are sent. */
  acknowledgesStreams: boolean;
  /** What the relays agree to in ntor-v3 handshakes. */
  policy: RelayPolicy;
}

export interface RelayCircuitOptions {
  /** Relays that can be extended to; the first is the channel's peer. */
  readonly relays: readonly ScriptedRelay[];
  readonly clock: Clock;
  readonly ciphers?: Ciphers | undefined;
  /** Takes cells for the client. */
  readonly send: (command: number, body: Uint8Array) => void;
}

const PLAIN: NegotiatedHop = { congestionControl: undefined, cgo: false };

export class RelayCircuit {
  readonly behaviour: RelayBehaviour = {
    begin: (stream) => stream.message(connected("93.184.216.34")),
    resolve: () => ["93.184.216.34"],
    intercept: () => false,
    reply: (reply) => reply,
    answers: true,
    acknowledgesStreams: true,
    policy: { congestionControl: { sendmeInc: 31 } },
  };
  readonly hops: RelayHop[] = [];
  readonly received: ReceivedRelayCell[] = [];
  /** Violations of the client's as the relays see them. */
  readonly complaints: unknown[] = [];
  readonly #options: RelayCircuitOptions;
  readonly #congestion: CongestionParams = congestionParams((_, fallback) => fallback, "exit");
  #work: Promise<void> = Promise.resolve();

  constructor(options: RelayCircuitOptions) {
    this.#options = options;
  }

  /** @param index 0 is the first, -1 the last */
  hop(index: number): RelayHop {
    const hop = this.hops.at(index);
    if (hop === undefined) throw new Error(`no hop ${index}`);
    return hop;
  }

  get lastHop(): number {
    return this.hops.length - 1;
  }

  /** The streams of a hop, the last one by default. */
  streams(hop = this.lastHop): ExitStream[] {
    return [...this.hop(hop).streams.values()];
  }

  /** Sends a relay cell from a hop to the client, now; returns its SENDME tag. */
  send(hop: number, command: number, streamId: number, data: Uint8Array): Uint8Array {
    const cell = new CellBody();
    this.hop(hop).format.encode(cell, command, streamId, data);
    return this.sendCell(hop, cell);
  }

  /** The same with a cell that is laid out already, be it well or badly. */
  sendCell(hop: number, cell: CellBody): Uint8Array {
    const { crypto } = this.hop(hop);
    crypto.originate(cell, COMMAND.relay);
    const tag = crypto.sentTag();
    for (let i = hop - 1; i >= 0; i--) this.hop(i).crypto.encrypt(cell, COMMAND.relay);
    this.#options.send(COMMAND.relay, cell.body.slice());
    return tag;
  }

  sendMessage(hop: number, streamId: number, message: RelayMessage): Uint8Array {
    return this.send(hop, message.command, streamId, encodeMessage(message));
  }

  /** Takes a cell of the client's. It is dealt with in a later turn, as a network does. */
  receive(command: number, body: Uint8Array): void {
    const kept = body.slice();
    this.#work = this.#work
      .then(() => this.#handle(command, kept))
      .catch((error) => {
        this.complaints.push(error);
      });
  }

  /** Settles when the relays have dealt with all cells so far and with what those led to. */
  async idle(): Promise<void> {
    let seen: Promise<void>;
    do {
      seen = this.#work;
      await seen;
      for (let i = 0; i < 20; i++) await Promise.resolve();
    } while (seen !== this.#work);
  }

  async #handle(command: number, body: Uint8Array): Promise<void> {
    if (command === COMMAND.createFast) return this.#createFast(body);
    if (command === COMMAND.create2) return this.#create2(body);
    const cell = new CellBody();
    cell.load(body, 0);
    for (const [index, { crypto, format }] of this.hops.entries()) {
      if (!crypto.decrypt(cell, command)) continue;
      const header: RelayHeader = { command: 0, streamId: 0, dataFrom: 0, dataTo: 0 };
      format.decode(cell, header);
      return this.#relayCell({
        hop: index,
        early: command === COMMAND.relayEarly,
        command: header.command,
        streamId: header.streamId,
        data: cell.bytes.slice(header.dataFrom, header.dataTo),
        body: cell.body,
        tag: crypto.receivedTag(),
      });
    }
    throw new Error("a cell that no hop recognises");
  }

  #createFast(body: Uint8Array): void {
    if (!this.behaviour.answers) return;
    const y = randomBytes(20);
    const keys = kdfTor(concat(body.subarray(0, 20), y), 20 + keyMaterialLength(PLAIN));
    this.#addHop(undefined, PLAIN, keys.subarray(20), undefined);
    const reply = this.behaviour.reply(concat(y, keys.subarray(0, 20)));
    this.#options.send(COMMAND.createdFast, cellBody(reply));
  }

  async #create2(body: Uint8Array): Promise<void> {
    if (!this.behaviour.answers) return;
    const relay = this.#options.relays[0] as ScriptedRelay;
    const reply = await this.#answer(relay, decodeCreate2(body));
    this.#options.send(COMMAND.created2, cellBody(new Writer().vector(2, reply.data).finish()));
    reply.addHop();
  }

  async #extend(hop: number, { linkSpecifiers, handshake }: Extend2): Promise<void> {
    if (!this.behaviour.answers) return;
    const rsaId = linkSpecifiers.find(({ type }) => type === 2)?.data;
    const relay = this.#options.relays.find((known) => known.rsaId.join() === rsaId?.join());
    if (relay === undefined) throw new Error("EXTEND2 to an unknown relay");
    const reply = await this.#answer(relay, handshake);
    this.sendMessage(hop, 0, { command: RelayCommand.EXTENDED2, handshake: reply.data });
    reply.addHop();
  }

  /** The reply, and the hop that is there once it is sent. */
  async #answer(
    relay: ScriptedRelay,
    { type, data }: HandshakeData,
  ): Promise<{ readonly data: Uint8Array; addHop(): void }> {
    let agreed = PLAIN;
    let asked: Uint8Array | undefined;
    const { reply, keyMaterial } =
      type === NTOR_V3_TYPE
        ? await answerNtorV3(relay, data, (message) => {
            asked = message;
            const answer = answerExtensions(message, this.behaviour.policy);
            agreed = answer.hop;
            return { message: answer.message, length: keyMaterialLength(agreed) };
          })
        : await answerNtor(relay, data, keyMaterialLength(agreed));
    return {
      data: this.behaviour.reply(reply),
      addHop: () => this.#addHop(relay, agreed, keyMaterial, asked),
    };
  }

  #addHop(
    relay: ScriptedRelay | undefined,
    agreed: NegotiatedHop,
    material: Uint8Array,
    asked: Uint8Array | undefined,
  ): void {
    const { clock, ciphers } = this.#options;
    const layer = relayLayer(agreed, material, { clock, ciphers, congestion: this.#congestion });
    this.hops.push({ ...layer, relay, asked, streams: new Map() });
  }

  async #relayCell(received: ReceivedRelayCell): Promise<void> {
    this.received.push(received);
    const { hop: index, command, streamId, data } = received;
    const hop = this.hop(index);
    if (this.behaviour.intercept(received)) return;
    const stream = hop.streams.get(streamId);
    switch (command) {
      case RelayCommand.EXTEND2:
        return this.#extend(index, decodeMessage(command, data) as Extend2);
      case RelayCommand.BEGIN:
      case RelayCommand.BEGIN_DIR:
        return this.#begin(index, streamId, decodeMessage(command, data));
      case RelayCommand.RESOLVE:
        return this.#resolve(index, streamId, decodeMessage(command, data) as Resolve);
      case RelayCommand.DATA:
        return this.#data(index, received, stream);
      case RelayCommand.SENDME:
        if (streamId === 0) hop.flow.sendmeReceived(data);
        else stream?.flow.sendmeReceived();
        for (const each of hop.streams.values()) each.pump();
        return;
      case RelayCommand.XON:
        return stream?.flow.xonReceived(data);
      case RelayCommand.XOFF:
        return stream?.flow.xoffReceived(data);
      case RelayCommand.END:
        hop.streams.delete(streamId);
        stream?.flow.stop();
        return stream?.onEnd(data[0] as number);
    }
  }

  #begin(index: number, streamId: number, begin: RelayMessage): void {
    const { behaviour } = this;
    const hop = this.hop(index);
    const circuit = {
      send: (id: number, command: number, data: Uint8Array) => void this.send(index, command, id, data),
      sendMessage: (id: number, message: RelayMessage) => void this.sendMessage(index, id, message),
      dataSent: () => hop.flow.dataSent(hop.crypto),
      get acknowledges() {
        return behaviour.acknowledgesStreams;
      },
    };
    const maxData = hop.format.maxData(RelayCommand.DATA);
    const stream = new ExitStream({ id: streamId, hop: index, begin }, circuit, hop.flow, maxData);
    hop.streams.set(streamId, stream);
    behaviour.begin(stream);
  }

  #resolve(index: number, streamId: number, { hostname }: Resolve): void {
    const answers = this.behaviour.resolve(hostname)?.map((text) => {
      const value = addressBytes(text);
      return { type: value.length === 4 ? 4 : 6, value, ttl: 300 };
    });
    if (answers !== undefined) this.sendMessage(index, streamId, { command: RelayCommand.RESOLVED, answers });
  }

  #data(index: number, { data, tag }: ReceivedRelayCell, stream: ExitStream | undefined): void {
    const { flow } = this.hop(index);
    if (flow.dataReceived()) this.sendMessage(index, 0, { command: RelayCommand.SENDME, version: 1, tag });
    stream?.receive(data);
  }
}
