// The relays' side of a circuit for tests: a channel in memory behind which up to eight hops speak the relay protocol
// with real handshakes and real relay crypto (tor-spec 5, 6, 7). Tests can make it misbehave at will.

import { deferred } from "../../src/base/abort.ts";
import { concat, Reader, Writer } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { TorError } from "../../src/base/errors.ts";
import type { Clock } from "../../src/base/ports.ts";
import { randomBytes } from "../../src/base/random.ts";
import type { Circuit, HopTarget } from "../../src/circuit/api.ts";
import { createCircuit } from "../../src/circuit/create.ts";
import type { StreamFlow } from "../../src/circuit/flow/api.ts";
import { WindowFlow } from "../../src/circuit/flow/windows.ts";
import { cellBody, decodeCreate2 } from "../../src/circuit/handshake/create-cells.ts";
import { ntorSecrets } from "../../src/circuit/handshake/ntor.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { type RelayCell, relayCellV0 } from "../../src/circuit/relaycell/format.ts";
import {
  type Begin,
  decodeMessage,
  type Extend2,
  encodeMessage,
  type RelayMessage,
} from "../../src/circuit/relaycell/messages.ts";
import { TOR1_KEY_MATERIAL, Tor1Crypto } from "../../src/circuit/relaycrypto/tor1.ts";
import { kdfTor } from "../../src/crypto/kdf.ts";
import { generateX25519, type X25519KeyPair } from "../../src/crypto/x25519.ts";
import type { Channel, ChannelTarget, CircuitHandler } from "../../src/link/api.ts";
import { COMMAND } from "../../src/link/commands.ts";

/** A relay's identity with the private half of its onion key. */
export interface TestRelay extends HopTarget {
  readonly onionKey: X25519KeyPair;
}

export async function testRelay(): Promise<TestRelay> {
  const onionKey = await generateX25519();
  return {
    rsaId: randomBytes(20),
    ed25519Id: randomBytes(32),
    addresses: [{ family: 4, address: Uint8Array.of(198, 51, 100, 7), port: 9001 }],
    ntorOnionKey: onionKey.publicKey,
    onionKey,
  };
}

/** Df and Db, Kf and Kb change places on the relay's side. */
export function relaySide(material: Uint8Array): Tor1Crypto {
  const part = (from: number, to: number) => material.subarray(from, to);
  return new Tor1Crypto(concat(part(20, 40), part(0, 20), part(56, 72), part(40, 56)));
}

/** The relay's answer to an ntor onionskin, and its key material. */
export async function answerNtor(
  relay: TestRelay,
  onionskin: Uint8Array,
  ephemeral?: X25519KeyPair,
): Promise<{ readonly reply: Uint8Array; readonly material: Uint8Array }> {
  const reader = new Reader(onionskin);
  const id = reader.take(20);
  const B = reader.take(32);
  const X = reader.take(32);
  const y = ephemeral ?? (await generateX25519());
  const [xy, xb] = await Promise.all([y.diffieHellman(X), relay.onionKey.diffieHellman(X)]);
  const secrets = ntorSecrets({ xy, xb }, id, { B, X, Y: y.publicKey });
  return {
    reply: concat(y.publicKey, secrets.auth),
    material: secrets.keyMaterial(TOR1_KEY_MATERIAL),
  };
}

/** What a relay got: the hop that recognised it, the cell, and whether it came as RELAY_EARLY. */
export interface Received extends RelayCell {
  readonly hop: number;
  readonly early: boolean;
  /** All 509 bytes, layers off. */
  readonly body: Uint8Array;
  readonly tag: Uint8Array;
}

export interface RelayHop {
  readonly relay: TestRelay | undefined;
  readonly crypto: Tor1Crypto;
  readonly flow: WindowFlow;
  readonly streams: Map<number, ExitStream>;
}

/** A stream at the relay's end. */
export class ExitStream {
  readonly id: number;
  readonly hop: number;
  readonly flow: StreamFlow;
  readonly begin: RelayMessage;
  readonly #relays: TestRelays;
  /** What the client sent, when nobody else takes it. */
  received: Uint8Array[] = [];
  cellsReceived = 0;
  #unsent: Uint8Array = new Uint8Array(0);
  #sent = deferred();
  onData: (data: Uint8Array) => void = (data) => this.received.push(data);
  onEnd: (reason: number) => void = () => {};

  constructor(id: number, hop: number, flow: StreamFlow, begin: RelayMessage, relays: TestRelays) {
    this.id = id;
    this.hop = hop;
    this.flow = flow;
    this.begin = begin;
    this.#relays = relays;
  }

  get receivedBytes(): Uint8Array {
    return concat(...this.received);
  }

  get unsent(): number {
    return this.#unsent.length;
  }

  /** Sends bytes as windows allow; settles when all are sent. */
  send(data: Uint8Array): Promise<void> {
    this.#unsent = this.#unsent.length === 0 ? data : concat(this.#unsent, data);
    this.#sent = deferred();
    this.pump();
    return this.#sent.promise;
  }

  pump(): void {
    const { flow } = this.#relays.hop(this.hop);
    while (this.#unsent.length > 0 && flow.canSend && this.flow.canSend) {
      const data = this.#unsent.subarray(0, 498);
      this.#unsent = this.#unsent.subarray(498);
      this.flow.dataSent();
      flow.dataSent(this.#relays.send(this.hop, RelayCommand.DATA, this.id, data));
    }
    if (this.#unsent.length === 0) this.#sent.resolve();
  }

  message(message: RelayMessage): void {
    this.#relays.sendMessage(this.hop, this.id, message);
  }

  end(reason = 6): void {
    this.message({ command: RelayCommand.END, reason });
  }
}

/** What the relays do; everything can be replaced by a test. */
export interface RelayBehaviour {
  /** A stream was begun; by default it is connected to 93.184.216.34. */
  begin: (stream: ExitStream) => void;
  /** Looks at every relay cell before the relay acts; `true` means that the test has dealt with it. */
  intercept: (received: Received) => boolean;
  /** Changes the handshake reply of CREATED2 and EXTENDED2 (and CREATED_FAST). */
  reply: (reply: Uint8Array) => Uint8Array;
  /** Whether create and extend are answered at all. */
  answers: boolean;
  /** Whether stream-level SENDMEs are sent. */
  acknowledgesStreams: boolean;
}

export class TestRelays {
  readonly channel: Channel;
  readonly behaviour: RelayBehaviour = {
    begin: (stream) => stream.message(connected("5db8d822")),
    intercept: () => false,
    reply: (reply) => reply,
    answers: true,
    acknowledgesStreams: true,
  };
  readonly hops: RelayHop[] = [];
  readonly received: Received[] = [];
  readonly sentCells: { command: number; body: Uint8Array }[] = [];
  /** Violations of the client's as the relays see them. */
  readonly complaints: unknown[] = [];
  destroyedByClient = false;
  congested = false;
  readonly #known: readonly TestRelay[];
  #handler: CircuitHandler | undefined;
  #work: Promise<void> = Promise.resolve();

  /** @param known relays that can be extended to; the first is the channel's peer */
  constructor(known: readonly TestRelay[]) {
    this.#known = known;
    this.channel = this.#makeChannel(known[0] as TestRelay);
  }

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
    const body = new Uint8Array(509);
    relayCellV0.encode(body, command, streamId, data);
    return this.sendBody(hop, body);
  }

  sendBody(hop: number, body: Uint8Array): Uint8Array {
    const tag = this.hop(hop).crypto.originate(body);
    for (let i = hop - 1; i >= 0; i--) this.hop(i).crypto.encrypt(body);
    this.deliver(COMMAND.relay, body);
    return tag;
  }

  sendMessage(hop: number, streamId: number, message: RelayMessage): Uint8Array {
    return this.send(hop, message.command, streamId, encodeMessage(message));
  }

  /** Hands a cell to the client as it is. */
  deliver(command: number, body: Uint8Array): void {
    this.#handler?.cell(command, body);
  }

  destroy(reason: number): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.destroyed(reason);
  }

  closeChannel(error: TorError): void {
    this.#handler?.channelClosed(error);
  }

  writable(): void {
    this.congested = false;
    this.#handler?.writable();
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

  #makeChannel(peer: ChannelTarget): Channel {
    const relays = this;
    return {
      peer,
      linkProtocol: 5,
      clockSkew: 0,
      unusedSince: undefined,
      get circuitCount() {
        return relays.#handler === undefined ? 0 : 1;
      },
      isClosed: false,
      closed: new Promise(() => {}),
      attach(handler) {
        relays.#handler = handler;
        return {
          circuitId: 0x80000001,
          get congested() {
            return relays.congested;
          },
          send: (command, body) => relays.#fromClient(command, body.slice()),
          destroy() {
            relays.destroyedByClient ||= relays.#handler !== undefined;
            relays.#handler = undefined;
          },
        };
      },
      close() {},
    };
  }

  #fromClient(command: number, body: Uint8Array): void {
    if (body.length !== 509) throw new Error(`a cell body of ${body.length} bytes`);
    this.sentCells.push({ command, body: body.slice() });
    // Never within the client's own call: a network answers later.
    this.#work = this.#work
      .then(() => this.#handle(command, body))
      .catch((error) => {
        this.complaints.push(error);
      });
  }

  async #handle(command: number, body: Uint8Array): Promise<void> {
    if (command === COMMAND.createFast) return this.#createFast(body);
    if (command === COMMAND.create2) return this.#create2(body);
    const early = command === COMMAND.relayEarly;
    for (const [index, hop] of this.hops.entries()) {
      const tag = hop.crypto.decrypt(body);
      if (tag !== undefined) {
        return this.#relayCell({ ...relayCellV0.decode(body), hop: index, early, body, tag });
      }
    }
    throw new Error("a cell that no hop recognises");
  }

  #createFast(body: Uint8Array): void {
    if (!this.behaviour.answers) return;
    const y = randomBytes(20);
    const keys = kdfTor(concat(body.subarray(0, 20), y), 20 + TOR1_KEY_MATERIAL);
    this.#addHop(this.#known[0], keys.subarray(20));
    this.deliver(COMMAND.createdFast, cellBody(this.behaviour.reply(concat(y, keys.subarray(0, 20)))));
  }

  async #create2(body: Uint8Array): Promise<void> {
    if (!this.behaviour.answers) return;
    const { data } = decodeCreate2(body);
    const relay = this.#known[0] as TestRelay;
    const { reply, material } = await answerNtor(relay, data);
    this.#addHop(relay, material);
    const answer = this.behaviour.reply(reply);
    this.deliver(COMMAND.created2, cellBody(new Writer().vector(2, answer).finish()));
  }

  async #extend(hop: number, { linkSpecifiers, handshake }: Extend2): Promise<void> {
    if (!this.behaviour.answers) return;
    const rsaId = linkSpecifiers.find(({ type }) => type === 2)?.data;
    const relay = this.#known.find((known) => known.rsaId.join() === rsaId?.join());
    if (relay === undefined) throw new Error("EXTEND2 to an unknown relay");
    const { reply, material } = await answerNtor(relay, handshake.data);
    this.sendMessage(hop, 0, { command: RelayCommand.EXTENDED2, handshake: this.behaviour.reply(reply) });
    this.#addHop(relay, material);
  }

  #addHop(relay: TestRelay | undefined, material: Uint8Array): void {
    this.hops.push({ relay, crypto: relaySide(material), flow: new WindowFlow(), streams: new Map() });
  }

  async #relayCell(received: Received): Promise<void> {
    this.received.push(received);
    const { hop: index, command, streamId, data } = received;
    const hop = this.hop(index);
    if (this.behaviour.intercept(received)) return;
    const stream = hop.streams.get(streamId);
    switch (command) {
      case RelayCommand.EXTEND2:
        return this.#extend(index, decodeMessage(command, data) as Extend2);
      case RelayCommand.BEGIN:
      case RelayCommand.BEGIN_DIR: {
        const begun = new ExitStream(streamId, index, hop.flow.stream(), decodeMessage(command, data), this);
        hop.streams.set(streamId, begun);
        return this.behaviour.begin(begun);
      }
      case RelayCommand.DATA:
        return this.#data(index, received, stream);
      case RelayCommand.SENDME:
        if (streamId === 0) hop.flow.sendmeReceived(data);
        else stream?.flow.sendmeReceived();
        for (const each of hop.streams.values()) each.pump();
        return;
      case RelayCommand.END:
        hop.streams.delete(streamId);
        return stream?.onEnd(data[0] as number);
    }
  }

  #data(index: number, { streamId, data, tag }: Received, stream: ExitStream | undefined): void {
    const { flow } = this.hop(index);
    if (flow.dataReceived()) this.sendMessage(index, 0, { command: RelayCommand.SENDME, version: 1, tag });
    if (stream === undefined) return;
    stream.flow.dataReceived();
    stream.cellsReceived++;
    stream.onData(data);
    if (!this.behaviour.acknowledgesStreams) return;
    for (let i = stream.flow.consumed(1); i > 0; i--) {
      this.send(index, RelayCommand.SENDME, streamId, new Uint8Array(0));
    }
  }
}

export function connected(hex: string): RelayMessage {
  return { command: RelayCommand.CONNECTED, address: Uint8Array.from(Buffer.from(hex, "hex")), ttl: 300 };
}

export function hostOf(stream: ExitStream): string {
  return (stream.begin as Begin).hostname;
}

export interface TestCircuit {
  readonly circuit: Circuit;
  readonly relays: TestRelays;
  readonly targets: readonly TestRelay[];
}

/** A circuit of `length` hops with its relays. */
export async function testCircuit(length = 3, clock: Clock = systemClock): Promise<TestCircuit> {
  const targets = await Promise.all(Array.from({ length: Math.max(length, 1) + 1 }, testRelay));
  const relays = new TestRelays(targets);
  const circuit = await createCircuit({
    id: 1,
    channel: relays.channel,
    firstHop: targets[0] as TestRelay,
    clock,
  });
  for (const target of targets.slice(1, length)) await circuit.extend(target);
  return { circuit, relays, targets };
}

/** Everything until the end of a stream. */
export async function readAll(stream: { read(): Promise<Uint8Array | undefined> }): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = await stream.read();
    if (part === undefined) return concat(...parts);
    parts.push(part);
  }
}

/** Bytes that differ from place to place, cheaply. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}
