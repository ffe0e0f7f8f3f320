// A circuit in use (tor-spec 5 and 6): made hop by hop, carrying streams. Its states are "building" (no hop yet), "open" and
// "closed"; a cell that does not belong closes it with the reason (proposal 349).

import { abortable, deferred, throwIfAborted, withTimeout } from "../base/abort.ts";
import { isInternalIp } from "../base/address.ts";
import { badApiUsage, TorError, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { randomBytes, randomInt } from "../base/random.ts";
import { generateX25519 } from "../crypto/x25519.ts";
import type { Channel, ChannelTarget, CircuitSlot } from "../link/api.ts";
import { COMMAND } from "../link/commands.ts";
import type { Circuit, CircuitOptions, HopTarget, StreamOptions, TorStream } from "./api.ts";
import { circuitTornDown, circuitViolation, END_REASON } from "./errors.ts";
import { encodeCreate2, encodeExtend2, parseCreated2 } from "./handshake/extend.ts";
import { completeFast, FAST_KEY_LENGTH } from "./handshake/fast.ts";
import { completeNtor, NTOR_TYPE, ntorOnionskin } from "./handshake/ntor.ts";
import { HopChain } from "./hops.ts";
import {
  checkDestination,
  encodeBegin,
  encodeSendme,
  parseConnected,
  parseEnd,
  parseSendme,
} from "./messages.ts";
import {
  decodeRelayCell,
  encodeRelayCell,
  paddingOf,
  RELAY,
  RELAY_DATA_LENGTH,
  type RelayCell,
} from "./relay-cell.ts";
import { TOR1_KEY_LENGTH, Tor1 } from "./relaycrypto/tor1.ts";
import { CircuitStream, type StreamHost } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

/** tor-spec 5.6; C tor draws 7 or 8 so that the number tells nothing. */
const MAX_RELAY_EARLY = 8;
/** Until the exit answers a BEGIN, in milliseconds. */
const DEFAULT_STREAM_TIMEOUT = 30_000;
/** Zero bytes and random bytes left free in a cell that must be unpredictable (proposal 289). */
const ROOM_FOR_RANDOMNESS = 4 + 16;
const END_MISC = Uint8Array.of(END_REASON.misc);
const NOTHING = new Uint8Array(0);

interface AwaitedReply {
  readonly command: number;
  /** Hop that must send it, for EXTENDED2. */
  readonly hop: number;
  readonly reply: ReturnType<typeof deferred<Uint8Array>>;
}

export interface CircuitSettings {
  readonly id: number;
  readonly channel: Channel;
  readonly clock: Clock;
  /** Milliseconds that a hop may take to answer its handshake. */
  readonly hopTimeout: number;
}

export class TorCircuit implements Circuit, StreamHost {
  readonly id: number;
  readonly #clock: Clock;
  readonly #hopTimeout: number;
  readonly #peer: ChannelTarget;
  readonly #slot: CircuitSlot;
  readonly #hops = new HopChain();
  readonly #streams = new StreamTable();
  readonly #closed = deferred<TorError | undefined>();
  #state: "building" | "open" | "closed" = "building";
  #awaited: AwaitedReply | undefined;
  #relayEarlyLeft = MAX_RELAY_EARLY - randomInt(2);
  /** Streams with bytes to send; the first is next. */
  #senders: CircuitStream[] = [];
  #unusedSince: number | undefined;

  constructor(settings: CircuitSettings) {
    this.id = settings.id;
    this.#clock = settings.clock;
    this.#hopTimeout = settings.hopTimeout;
    this.#peer = settings.channel.peer;
    this.#unusedSince = settings.clock.monotonic();
    this.#slot = settings.channel.attach({
      cell: (command, body) => this.#onCell(command, body),
      destroyed: (reason) => this.close(circuitTornDown("DESTROY", reason)),
      channelClosed: (error) => this.close(error),
      writable: () => this.#pump(),
    });
  }

  get hops(): readonly ChannelTarget[] {
    return this.#hops.targets;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get closed(): Promise<TorError | undefined> {
    return this.#closed.promise;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get unusedSince(): number | undefined {
    return this.#unusedSince;
  }

  /** The first hop by CREATE_FAST. */
  async createFast(signal?: AbortSignal): Promise<void> {
    const x = randomBytes(FAST_KEY_LENGTH);
    const reply = await this.#exchange(COMMAND.createdFast, -1, signal, () =>
      this.#slot.send(COMMAND.createFast, x),
    );
    this.#addHop(this.#peer, () => completeFast(x, reply, TOR1_KEY_LENGTH));
  }

  /** The first hop by CREATE2 with ntor. */
  async create(target: HopTarget, signal?: AbortSignal): Promise<void> {
    await this.#ntor(target, COMMAND.created2, -1, signal, (onionskin) =>
      this.#slot.send(COMMAND.create2, encodeCreate2(NTOR_TYPE, onionskin)),
    );
  }

  async extend(target: HopTarget, options: CircuitOptions = {}): Promise<void> {
    this.#checkOpen();
    if (this.#relayEarlyLeft === 0)
      throw badApiUsage("ALLIUM_E_CIRCUIT_LENGTH", "the circuit can grow no further");
    const last = this.#hops.length - 1;
    await this.#ntor(target, RELAY.extended2, last, options.signal, (onionskin) => {
      this.#send(RELAY.extend2, 0, encodeExtend2(target, NTOR_TYPE, onionskin), last);
    });
  }

  async openStream(hostname: string, port: number, options: StreamOptions = {}): Promise<TorStream> {
    const allowInternal = options.allowPrivateAddresses ?? false;
    checkDestination(hostname, port, allowInternal);
    const stream = await this.#begin(
      RELAY.begin,
      encodeBegin(hostname, port, options.ipv6 ?? false),
      options,
    );
    if (!allowInternal && stream.remoteAddress !== undefined && isInternalIp(stream.remoteAddress)) {
      stream.close();
      throw new TorError(
        "remote-refused",
        "ALLIUM_E_INTERNAL_ANSWER",
        "the exit connected to an internal address",
      );
    }
    return stream;
  }

  async openDirectoryStream(options: StreamOptions = {}): Promise<TorStream> {
    return this.#begin(RELAY.beginDir, NOTHING, options);
  }

  close(error?: TorError): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#slot.destroy();
    this.#hops.destroy();
    this.#senders = [];
    const reason = error ?? circuitClosed();
    this.#awaited?.reply.reject(reason);
    this.#awaited = undefined;
    for (const stream of this.#streams.clear()) stream.fail(reason);
    this.#closed.resolve(error);
  }

  sendSendme(stream: CircuitStream): void {
    if (!this.isClosed) this.#send(RELAY.sendme, stream.streamId, NOTHING, stream.hop);
  }

  wantsToSend(stream: CircuitStream): void {
    if (!this.#senders.includes(stream)) this.#senders.push(stream);
    this.#pump();
  }

  closeStream(stream: CircuitStream): void {
    if (this.isClosed) return;
    const wasConnecting = !stream.wasConnected;
    this.#streams.halfClose(stream, wasConnecting);
    this.#noteStreams();
    this.#send(RELAY.end, stream.streamId, END_MISC, stream.hop);
  }

  async #begin(command: number, data: Uint8Array, options: StreamOptions): Promise<CircuitStream> {
    throwIfAborted(options.signal);
    this.#checkOpen();
    const hop = this.#hops.length - 1;
    const stream = new CircuitStream(this, this.#streams.allocate(), hop);
    this.#streams.add(stream);
    this.#noteStreams();
    this.#send(command, stream.streamId, data, hop);
    const ms = options.timeout ?? DEFAULT_STREAM_TIMEOUT;
    const error = () =>
      new TorError(
        "exit-timeout",
        "ALLIUM_E_STREAM_TIMEOUT",
        `the exit did not answer a stream within ${ms} ms`,
      );
    try {
      await withTimeout({ clock: this.#clock, ms, signal: options.signal, error }, () => stream.connected);
      return stream;
    } catch (failure) {
      stream.close(failure);
      throw failure;
    }
  }

  async #ntor(
    target: HopTarget,
    answer: number,
    hop: number,
    signal: AbortSignal | undefined,
    send: (onionskin: Uint8Array) => void,
  ): Promise<void> {
    const pair = await abortable(generateX25519(), signal);
    const reply = await this.#exchange(answer, hop, signal, () => send(ntorOnionskin(target, pair)));
    try {
      const keys = await completeNtor(target, pair, parseCreated2(reply), TOR1_KEY_LENGTH);
      this.#addHop(target, () => keys);
    } catch (error) {
      this.close(toTorError(error));
      throw error;
    }
  }

  /** Sends a handshake and waits for its answer; whatever goes wrong takes the circuit down. */
  async #exchange(
    command: number,
    hop: number,
    signal: AbortSignal | undefined,
    send: () => void,
  ): Promise<Uint8Array> {
    if (this.isClosed) throw circuitClosed();
    if (this.#awaited !== undefined)
      throw badApiUsage("ALLIUM_E_CIRCUIT_BUSY", "the circuit is being extended already");
    const ms = this.#hopTimeout;
    const error = () =>
      new TorError(
        "circuit-collapse",
        "ALLIUM_E_CIRCUIT_TIMEOUT",
        `a relay did not answer its handshake in ${ms} ms`,
      );
    try {
      throwIfAborted(signal);
      const reply = deferred<Uint8Array>();
      this.#awaited = { command, hop, reply };
      send();
      return await withTimeout({ clock: this.#clock, ms, signal, error }, () => reply.promise);
    } catch (failure) {
      this.close(toTorError(failure));
      throw failure;
    }
  }

  #addHop(target: ChannelTarget, deriveKeys: () => Uint8Array): void {
    try {
      if (this.isClosed) throw circuitClosed();
      this.#hops.add(target, new Tor1(deriveKeys()));
      this.#state = "open";
    } catch (error) {
      this.close(toTorError(error));
      throw error;
    }
  }

  #onCell(command: number, body: Uint8Array): void {
    try {
      if (command === COMMAND.relay) this.#onRelayCell(body);
      else if (command === COMMAND.relayEarly) throw circuitViolation("an inbound RELAY_EARLY cell");
      else this.#onReply(command, -1, body);
    } catch (error) {
      this.close(toTorError(error));
    }
  }

  #onReply(command: number, hop: number, data: Uint8Array): void {
    const awaited = this.#awaited;
    if (awaited?.command !== command || awaited.hop !== hop) {
      throw circuitViolation(`a handshake reply (${command}) that nobody waits for`);
    }
    this.#awaited = undefined;
    awaited.reply.resolve(data);
  }

  #onRelayCell(body: Uint8Array): void {
    if (this.#state !== "open") throw circuitViolation("a relay cell before the first hop");
    const { index, tag } = this.#hops.peel(body);
    const cell = decodeRelayCell(body);
    if (cell.streamId === 0) this.#onCircuitMessage(cell, index);
    else this.#onStreamMessage(cell, index, tag);
  }

  #onCircuitMessage({ command, data }: RelayCell, hop: number): void {
    switch (command) {
      case RELAY.sendme:
        this.#hops.at(hop).window.acknowledged(parseSendme(data));
        return this.#pump();
      case RELAY.extended2:
        return this.#onReply(command, hop, data);
      case RELAY.truncated:
        // Clients never send TRUNCATE, so this is a relay telling of a failure: nothing beyond it can be used.
        return this.close(circuitTornDown("TRUNCATED", data[0] ?? 0));
      default:
        throw circuitViolation(`relay command ${command} on stream 0`);
    }
  }

  #onStreamMessage({ command, streamId, data }: RelayCell, hop: number, tag: Uint8Array): void {
    const stream = this.#streams.find(streamId, hop);
    const open = stream instanceof CircuitStream ? stream : undefined;
    switch (command) {
      case RELAY.data:
        if (data.length === 0) throw circuitViolation("an empty DATA cell");
        if (
          open?.isConnecting ||
          (open === undefined && "awaitsConnected" in stream && stream.awaitsConnected)
        ) {
          throw circuitViolation("DATA before CONNECTED");
        }
        stream.window.received();
        if (this.#hops.at(hop).window.received()) this.#send(RELAY.sendme, 0, encodeSendme(tag), hop);
        return open?.onData(data);
      case RELAY.connected:
        return this.#onConnected(stream, data);
      case RELAY.sendme:
        stream.window.acknowledged();
        return this.#pump();
      case RELAY.end:
        this.#streams.remove(streamId);
        this.#noteStreams();
        return open?.onEnd(parseEnd(data));
      default:
        throw circuitViolation(`relay command ${command} on a stream`);
    }
  }

  #onConnected(stream: ReturnType<StreamTable["find"]>, data: Uint8Array): void {
    const address = parseConnected(data);
    if (stream instanceof CircuitStream) {
      if (!stream.isConnecting) throw circuitViolation("a second CONNECTED");
      stream.onConnected(address);
    } else {
      if (!stream.awaitsConnected) throw circuitViolation("a second CONNECTED");
      stream.awaitsConnected = false;
    }
  }

  /** Sends what windows and the channel allow, one cell a stream in turn. */
  #pump(): void {
    let blocked = 0;
    while (this.#senders.length > blocked && !this.#slot.congested) {
      const stream = this.#senders.shift() as CircuitStream;
      if (!stream.hasPending) continue;
      this.#senders.push(stream);
      const { window } = this.#hops.at(stream.hop);
      if (!stream.window.canSend || !window.canSend) {
        blocked++;
        continue;
      }
      blocked = 0;
      const max = RELAY_DATA_LENGTH - (window.wantsRandomness ? ROOM_FOR_RANDOMNESS : 0);
      const payload = stream.takePayload(max);
      const tag = this.#send(RELAY.data, stream.streamId, payload, stream.hop);
      stream.window.sent();
      window.sent(tag, paddingOf(payload.length));
    }
  }

  /** Sends one relay message to a hop. @returns the cell's SENDME tag */
  #send(command: number, streamId: number, data: Uint8Array, hop: number): Uint8Array {
    const body = encodeRelayCell(command, streamId, data);
    const tag = this.#hops.wrap(body, hop);
    // As C tor: the first cells to any hop but the first are RELAY_EARLY, whatever they say; EXTEND2 must be (tor-spec 5.6).
    const early = this.#relayEarlyLeft > 0 && (hop > 0 || command === RELAY.extend2);
    if (early) this.#relayEarlyLeft--;
    this.#slot.send(early ? COMMAND.relayEarly : COMMAND.relay, body);
    return tag;
  }

  #checkOpen(): void {
    if (this.#state !== "open") throw circuitClosed();
  }

  #noteStreams(): void {
    this.#unusedSince = this.#streams.size === 0 ? this.#clock.monotonic() : undefined;
  }
}

function circuitClosed(): TorError {
  return new TorError("circuit-collapse", "ALLIUM_E_CIRCUIT_CLOSED", "the circuit is closed");
}
