// A circuit: created, extended hop by hop, carrying streams, closed (tor-spec 5). The states and who cleans up.
// Not here: what relay messages do (inbound.ts), streams (stream.ts, hop.ts), which relays to take (the path room).

import { type Deferred, deferred, throwIfAborted, withTimeout } from "../base/abort.ts";
import { badApiUsage, TorError, toTorError } from "../base/errors.ts";
import { MemoryQuota } from "../base/memory-quota.ts";
import type { Ciphers, Clock, Log } from "../base/ports.ts";
import { CELL_BODY_LENGTH, type Channel, type ChannelTarget, type CircuitSlot } from "../link/api.ts";
import { FIXED_CELL_LENGTH } from "../link/cell-codec.ts";
import { COMMAND } from "../link/commands.ts";
import type {
  CellLimits,
  Circuit,
  CircuitHop,
  CircuitOptions,
  HopTarget,
  ResolvedAddress,
  StreamOptions,
  TorStream,
  Traffic,
} from "./api.ts";
import { AwaitedAnswer } from "./awaited-answer.ts";
import { beginStream } from "./begin-stream.ts";
import { CellSender } from "./cell-sender.ts";
import { beginMessage, resolvedAddresses } from "./destination.ts";
import { type CongestionParams, congestionParams } from "./flow/params.ts";
import { cellBody, decodeCreated2, decodeCreatedFast, encodeCreate2 } from "./handshake/create-cells.ts";
import { Hop, type StartMessage } from "./hop.ts";
import { startFastHandshake, startHandshake } from "./hop-handshake.ts";
import type { HopContext, HopHandshake } from "./hop-layer.ts";
import { receiveRelayCell } from "./inbound.ts";
import { SparePiece } from "./inbox.ts";
import { RelayCommand } from "./relaycell/command.ts";
import type { RelayHeader } from "./relaycell/format.ts";
import { linkSpecifiers } from "./relaycell/link-specifiers.ts";
import { circuitEndError } from "./relaycell/reasons.ts";
import { CellBody } from "./relaycrypto/cell-body.ts";
import type { CircuitStream } from "./stream.ts";
import { circuitViolation } from "./violation.ts";

/** Milliseconds for a relay to answer CREATE or EXTEND2; cbtinitialtimeout (path-spec 2.4). */
const HANDSHAKE_TIMEOUT = 60_000;
/** Bytes that wait for readers of one circuit's streams: of four that nobody reads, were they all as full as can be. */
const CIRCUIT_MEMORY = 32 * 1024 * 1024;

export interface TorCircuitOptions {
  readonly id: number;
  readonly channel: Channel;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  readonly ciphers?: Ciphers | undefined;
  /** Parameters of congestion control; the network's defaults unless told otherwise. */
  readonly congestion?: CongestionParams | undefined;
  /** The client's memory. */
  readonly memory?: MemoryQuota | undefined;
  readonly cellLimits?: CellLimits | undefined;
  /** Called when the first stream is begun. */
  readonly onUse?: (() => void) | undefined;
}

/**
 * - `new`: no hop; a CREATE cell may be under way
 * - `open`: at least one hop; an EXTEND2 may be under way
 * - `closed`: for good
 */
type CircuitState = "new" | "open" | "closed";

export class TorCircuit implements Circuit {
  readonly id: number;
  readonly #options: TorCircuitOptions;
  readonly #clock: Clock;
  readonly #slot: CircuitSlot;
  readonly #sender: CellSender;
  readonly #memory: MemoryQuota;
  readonly #spare = new SparePiece();
  readonly #hopContext: HopContext;
  readonly #hops: Hop[] = [];
  readonly #closed: Deferred<TorError | undefined> = deferred<TorError | undefined>();
  readonly #awaited = new AwaitedAnswer();
  // Used for every cell that comes, so that none leaves anything behind.
  readonly #cell = new CellBody();
  readonly #header: RelayHeader = { command: 0, streamId: 0, dataFrom: 0, dataTo: 0 };
  readonly #inbound = {
    hops: this.#hops,
    extended: (handshake: Uint8Array) => this.#awaited.arrived("EXTENDED2", handshake),
  };
  readonly #incomingLimit: number;
  #receivedCells = 0;
  #state: CircuitState = "new";
  #failure: TorError | undefined;
  /** Whether a create or extend is running, its key derivation included. */
  #building = false;
  #unusedSince: number;
  #used = false;

  /** @throws TorError when the channel takes no more circuits */
  constructor(options: TorCircuitOptions) {
    this.id = options.id;
    this.#options = options;
    this.#clock = options.clock;
    this.#memory = new MemoryQuota(CIRCUIT_MEMORY, "a circuit", options.memory);
    this.#unusedSince = options.clock.monotonic();
    this.#slot = options.channel.attach({
      cell: (command, bytes, from) => this.#receive(command, bytes, from),
      destroyed: (reason) => this.#close(circuitEndError("DESTROY", reason)),
      channelClosed: (error) => this.#close(error),
      writable: () => {
        for (const hop of this.#hops) hop.flush();
      },
    });
    const { incoming = Number.POSITIVE_INFINITY, outgoing = Number.POSITIVE_INFINITY } =
      options.cellLimits ?? {};
    this.#incomingLimit = incoming;
    this.#sender = new CellSender(this.#slot, outgoing, () => this.#close(tooManyCells()));
    this.#hopContext = {
      clock: options.clock,
      ciphers: options.ciphers,
      congestion: options.congestion ?? congestionParams((_, fallback) => fallback, "exit"),
      isBlocked: () => this.#slot.congested,
    };
  }

  get hops(): readonly CircuitHop[] {
    return this.#hops;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get closed(): Promise<TorError | undefined> {
    return this.#closed.promise;
  }

  get streamCount(): number {
    return this.#hops.reduce((count, hop) => count + hop.streams.size, 0);
  }

  get unusedSince(): number | undefined {
    return this.streamCount > 0 ? undefined : this.#unusedSince;
  }

  get traffic(): Traffic {
    const [received, sent] = [this.#receivedCells, this.#sender.sentCells];
    return { received: FIXED_CELL_LENGTH * received, sent: FIXED_CELL_LENGTH * sent };
  }

  /** CREATE_FAST or CREATE2 to the channel's relay. */
  create(firstHop: HopTarget | { readonly fast: true }, options: CircuitOptions): Promise<void> {
    return this.#build(options, async () => {
      if ("fast" in firstHop) {
        const handshake = startFastHandshake();
        const data = await handshake.data;
        const arrived = this.#await("CREATED_FAST");
        this.#sender.create(COMMAND.createFast, cellBody(data));
        return this.#addHop(this.#options.channel.peer, handshake, decodeCreatedFast(await arrived));
      }
      const { handshake = startHandshake(firstHop) } = options;
      const data = await handshake.data;
      const arrived = this.#await("CREATED2");
      this.#sender.create(COMMAND.create2, encodeCreate2({ type: handshake.type, data }));
      return this.#addHop(firstHop, handshake, decodeCreated2(await arrived));
    });
  }

  async extend(target: HopTarget, options: CircuitOptions = {}): Promise<void> {
    if (!this.#sender.canExtend) {
      throw new TorError("limit", "ALLIUM_E_CIRCUIT_TOO_LONG", "the circuit has no RELAY_EARLY cell left");
    }
    return this.#build(options, async () => {
      const last = this.#lastHop();
      const { handshake = startHandshake(target) } = options;
      const data = await handshake.data;
      const arrived = this.#await("EXTENDED2");
      last.sendMessage(0, {
        command: RelayCommand.EXTEND2,
        linkSpecifiers: linkSpecifiers(target),
        handshake: { type: handshake.type, data },
      });
      await this.#addHop(target, handshake, await arrived);
    });
  }

  async openStream(hostname: string, port: number, options: StreamOptions = {}): Promise<TorStream> {
    return this.#begin(beginMessage(hostname, port, options), options);
  }

  async openDirectoryStream(options: StreamOptions = {}): Promise<TorStream> {
    return this.#begin({ command: RelayCommand.BEGIN_DIR }, options);
  }

  async resolve(hostname: string, options: StreamOptions = {}): Promise<ResolvedAddress[]> {
    // What must not stand in BEGIN must not stand in RESOLVE either, which has no port.
    const { hostname: name } = beginMessage(hostname, 1, options);
    const message: StartMessage = { command: RelayCommand.RESOLVE, hostname: name };
    const { answers } = await this.#begin(message, { ...options, optimistic: false });
    return resolvedAddresses(answers, options.allowPrivateAddresses === true);
  }

  rest(): void {
    this.#sender.onion.rest();
    this.#spare.clear();
  }

  close(error?: TorError): void {
    this.#close(error);
  }

  /** Runs one handshake at a time; whatever goes wrong, or an abort, is the circuit's end. */
  async #build(options: CircuitOptions, operation: () => Promise<void>): Promise<void> {
    if (this.#building) throw badApiUsage("ALLIUM_E_CIRCUIT_BUSY", "the circuit is already being extended");
    this.#building = true;
    const ms = options.timeout ?? HANDSHAKE_TIMEOUT;
    const error = () =>
      new TorError("circuit-collapse", "ALLIUM_E_CIRCUIT_TIMEOUT", `no relay answered within ${ms} ms`);
    try {
      await withTimeout({ clock: this.#clock, ms, signal: options.signal, error }, operation);
    } catch (thrown) {
      const failure = toTorError(thrown);
      this.#close(failure);
      throw failure;
    } finally {
      this.#building = false;
    }
  }

  #await(answer: Parameters<AwaitedAnswer["expect"]>[0]): Promise<Uint8Array> {
    this.#requireAlive();
    return this.#awaited.expect(answer);
  }

  async #addHop(target: ChannelTarget, handshake: HopHandshake, answer: Uint8Array): Promise<void> {
    const layer = await handshake.finish(answer, this.#hopContext);
    if (this.isClosed) layer.crypto.destroy();
    this.#requireAlive();
    this.#sender.onion.add(layer.crypto);
    const hop = new Hop({
      ...layer,
      index: this.#hops.length,
      target,
      sender: this.#sender,
      clock: this.#clock,
      memory: this.#memory,
      spare: this.#spare,
      onStreamGone: () => {
        this.#unusedSince = this.#clock.monotonic();
      },
    });
    this.#hops.push(hop);
    this.#state = "open";
  }

  async #begin(message: StartMessage, options: StreamOptions): Promise<CircuitStream> {
    throwIfAborted(options.signal);
    const hop = this.#lastHop();
    if (!this.#used) this.#options.onUse?.();
    this.#used = true;
    return beginStream(hop, message, options, this.#clock);
  }

  #receive(command: number, bytes: Uint8Array, from: number): void {
    try {
      this.#dispatch(command, bytes, from);
    } catch (thrown) {
      this.#close(toTorError(thrown));
    }
  }

  #dispatch(command: number, bytes: Uint8Array, from: number): void {
    if (++this.#receivedCells > this.#incomingLimit)
      throw circuitViolation("CELL_LIMIT", "more cells than the circuit may bring");
    switch (command) {
      case COMMAND.relay:
        return this.#receiveRelay(bytes, from);
      case COMMAND.createdFast:
        return this.#awaited.arrived("CREATED_FAST", bytes.slice(from, from + CELL_BODY_LENGTH));
      case COMMAND.created2:
        return this.#awaited.arrived("CREATED2", bytes.slice(from, from + CELL_BODY_LENGTH));
      case COMMAND.relayEarly:
        // Relays have no use for it towards the client: it is how onion users were once marked (tor-spec 5.6).
        throw circuitViolation("RELAY_EARLY", "an inbound RELAY_EARLY cell");
      default:
        throw circuitViolation("CELL_COMMAND", `cell command ${command} on a circuit`);
    }
  }

  #receiveRelay(bytes: Uint8Array, from: number): void {
    if (this.#state !== "open") throw circuitViolation("WRONG_STATE", "a RELAY cell before the first hop");
    const cell = this.#cell;
    cell.load(bytes, from);
    const hop = this.#hops[this.#sender.onion.decrypt(cell, COMMAND.relay)];
    if (hop === undefined)
      throw circuitViolation("UNRECOGNIZED", "a relay cell that no hop's keys recognise");
    hop.format.decode(cell, this.#header);
    receiveRelayCell(this.#inbound, hop, this.#header, cell.bytes);
  }

  #lastHop(): Hop {
    this.#requireAlive();
    const last = this.#hops.at(-1);
    if (last === undefined) throw badApiUsage("ALLIUM_E_CIRCUIT_NEW", "the circuit has no hop yet");
    return last;
  }

  #requireAlive(): void {
    if (this.#state === "closed") throw this.#failure ?? circuitClosed();
  }

  #close(error: TorError | undefined): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#failure = error;
    const reason = error ?? circuitClosed();
    this.#awaited.fail(reason);
    if (error?.kind === "protocol-violation") {
      const data = { circuit: this.id, error: error.code };
      this.#options.log?.({ level: "warn", code: "circuit-violation", message: error.message, data });
    }
    for (const hop of this.#hops) {
      for (const stream of hop.streams.clear()) stream.fail(reason);
    }
    this.#unusedSince = this.#clock.monotonic();
    this.#slot.destroy();
    this.#sender.onion.destroy();
    this.#spare.clear();
    this.#closed.resolve(error);
  }
}

function circuitClosed(): TorError {
  return new TorError("circuit-collapse", "ALLIUM_E_CIRCUIT_CLOSED", "the circuit was closed");
}

function tooManyCells(): TorError {
  return new TorError("limit", "ALLIUM_E_CELL_LIMIT", "the circuit has sent all the cells that it may");
}
