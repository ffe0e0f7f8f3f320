// A circuit: created, extended hop by hop, carrying streams, closed (tor-spec 5). The states and who cleans up.
// Not here: what relay messages do (inbound.ts), streams (stream.ts, hop.ts), which relays to take (the path room).

import { type Deferred, deferred, withTimeout } from "../base/abort.ts";
import { badApiUsage, TorError, toTorError } from "../base/errors.ts";
import type { Clock, Log } from "../base/ports.ts";
import type { Channel, ChannelTarget, CircuitSlot } from "../link/api.ts";
import { COMMAND } from "../link/commands.ts";
import type { Circuit, CircuitOptions, HopTarget, ResolvedAddress, StreamOptions, TorStream } from "./api.ts";
import { CellSender } from "./cell-sender.ts";
import { beginMessage, checkConnectedAddress, resolvedAddresses } from "./destination.ts";
import { WindowFlow } from "./flow/windows.ts";
import type { ClientHandshake } from "./handshake/api.ts";
import { cellBody, decodeCreated2, decodeCreatedFast, encodeCreate2 } from "./handshake/create-cells.ts";
import { fastHandshake } from "./handshake/fast.ts";
import { NTOR_TYPE, ntorHandshake } from "./handshake/ntor.ts";
import { Hop, type StartMessage } from "./hop.ts";
import { receiveRelayCell } from "./inbound.ts";
import { RelayCommand } from "./relaycell/command.ts";
import { relayCellV0 } from "./relaycell/format.ts";
import { linkSpecifiers } from "./relaycell/link-specifiers.ts";
import { circuitEndError } from "./relaycell/reasons.ts";
import { TOR1_KEY_MATERIAL, Tor1Crypto } from "./relaycrypto/tor1.ts";
import type { CircuitStream } from "./stream.ts";
import { circuitViolation } from "./violation.ts";

/** Milliseconds for a relay to answer CREATE or EXTEND2; cbtinitialtimeout (path-spec 2.4). */
const HANDSHAKE_TIMEOUT = 60_000;
/** Milliseconds for an exit to answer BEGIN or RESOLVE. */
const CONNECT_TIMEOUT = 60_000;

export interface TorCircuitOptions {
  readonly id: number;
  readonly channel: Channel;
  readonly clock: Clock;
  readonly log?: Log | undefined;
}

/**
 * - `new`: no hop; a CREATE cell may be under way
 * - `open`: at least one hop; an EXTEND2 may be under way
 * - `closed`: for good
 */
type CircuitState = "new" | "open" | "closed";

/** An answer that we wait for: the command of its cell, or EXTENDED2 from the last hop. */
interface AwaitedAnswer {
  readonly answer: "CREATED_FAST" | "CREATED2" | "EXTENDED2";
  readonly arrived: Deferred<Uint8Array>;
}

export class TorCircuit implements Circuit {
  readonly id: number;
  readonly #channel: Channel;
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  readonly #slot: CircuitSlot;
  readonly #sender: CellSender;
  readonly #hops: Hop[] = [];
  readonly #closed: Deferred<TorError | undefined> = deferred<TorError | undefined>();
  #state: CircuitState = "new";
  #failure: TorError | undefined;
  #awaited: AwaitedAnswer | undefined;
  /** Whether a create or extend is running, its key derivation included. */
  #building = false;
  #unusedSince: number;

  /** @throws TorError when the channel takes no more circuits */
  constructor(options: TorCircuitOptions) {
    this.id = options.id;
    this.#channel = options.channel;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#unusedSince = options.clock.monotonic();
    this.#slot = options.channel.attach({
      cell: (command, body) => this.#receive(command, body),
      destroyed: (reason) => this.#close(circuitEndError("DESTROY", reason)),
      channelClosed: (error) => this.#close(error),
      writable: () => {
        for (const hop of this.#hops) hop.flush();
      },
    });
    this.#sender = new CellSender(this.#slot);
  }

  get hops(): readonly ChannelTarget[] {
    return this.#hops.map((hop) => hop.target);
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

  /** CREATE_FAST or CREATE2 to the channel's relay. */
  create(firstHop: HopTarget | { readonly fast: true }, options: CircuitOptions): Promise<void> {
    return this.#build(options, async () => {
      if ("fast" in firstHop) {
        const handshake = fastHandshake();
        const arrived = this.#await("CREATED_FAST");
        this.#slot.send(COMMAND.createFast, cellBody(handshake.clientPart));
        await this.#addHop(this.#channel.peer, handshake, decodeCreatedFast(await arrived));
        return;
      }
      const handshake = await ntorHandshake(firstHop);
      const arrived = this.#await("CREATED2");
      this.#slot.send(COMMAND.create2, encodeCreate2({ type: NTOR_TYPE, data: handshake.clientPart }));
      await this.#addHop(firstHop, handshake, decodeCreated2(await arrived));
    });
  }

  async extend(target: HopTarget, options: CircuitOptions = {}): Promise<void> {
    if (!this.#sender.canExtend) {
      throw new TorError("limit", "ALLIUM_E_CIRCUIT_TOO_LONG", "the circuit has no RELAY_EARLY cell left");
    }
    return this.#build(options, async () => {
      const last = this.#lastHop();
      const handshake = await ntorHandshake(target);
      const arrived = this.#await("EXTENDED2");
      last.send(0, {
        command: RelayCommand.EXTEND2,
        linkSpecifiers: linkSpecifiers(target),
        handshake: { type: NTOR_TYPE, data: handshake.clientPart },
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
    const { answers } = await this.#begin({ command: RelayCommand.RESOLVE, hostname: name }, options);
    return resolvedAddresses(answers, options.allowPrivateAddresses === true);
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

  #await(answer: AwaitedAnswer["answer"]): Promise<Uint8Array> {
    this.#requireAlive();
    const arrived = deferred<Uint8Array>();
    this.#awaited = { answer, arrived };
    return arrived.promise;
  }

  /** The awaited answer has come. @throws TorError when this is not it */
  #arrived(answer: AwaitedAnswer["answer"], body: Uint8Array): void {
    if (this.#awaited?.answer !== answer) {
      const rule = answer === "EXTENDED2" ? "EXTENDED2" : "CELL_COMMAND";
      throw circuitViolation(rule, `${answer} that was not asked for`);
    }
    this.#awaited.arrived.resolve(body);
    this.#awaited = undefined;
  }

  async #addHop(target: ChannelTarget, handshake: ClientHandshake, answer: Uint8Array): Promise<void> {
    const material = await handshake.finish(answer, TOR1_KEY_MATERIAL);
    const crypto = new Tor1Crypto(material);
    material.fill(0);
    if (this.isClosed) crypto.destroy();
    this.#requireAlive();
    this.#sender.onion.add(crypto);
    const hop = new Hop({
      index: this.#hops.length,
      target,
      format: relayCellV0,
      flow: new WindowFlow(),
      sender: this.#sender,
      clock: this.#clock,
      onStreamGone: () => {
        this.#unusedSince = this.#clock.monotonic();
      },
    });
    this.#hops.push(hop);
    this.#state = "open";
  }

  async #begin(message: StartMessage, options: StreamOptions): Promise<CircuitStream> {
    const ms = options.timeout ?? CONNECT_TIMEOUT;
    const error = () =>
      new TorError(
        "exit-timeout",
        "ALLIUM_E_STREAM_CONNECT_TIMEOUT",
        `the exit did not answer within ${ms} ms`,
      );
    const limit = { clock: this.#clock, ms, signal: options.signal, error };
    return withTimeout(limit, async (signal) => {
      const stream = this.#lastHop().begin(message);
      const stop = () => stream.close(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      try {
        await stream.connected;
        checkConnectedAddress(stream.remoteAddress, options.allowPrivateAddresses === true);
        return stream;
      } catch (thrown) {
        stream.close(thrown);
        throw thrown;
      } finally {
        signal.removeEventListener("abort", stop);
      }
    });
  }

  #receive(command: number, body: Uint8Array): void {
    try {
      this.#dispatch(command, body);
    } catch (thrown) {
      this.#close(toTorError(thrown));
    }
  }

  #dispatch(command: number, body: Uint8Array): void {
    switch (command) {
      case COMMAND.relay:
        return this.#receiveRelay(body);
      case COMMAND.createdFast:
        return this.#arrived("CREATED_FAST", body);
      case COMMAND.created2:
        return this.#arrived("CREATED2", body);
      case COMMAND.relayEarly:
        // Relays have no use for it towards the client: it is how onion users were once marked (tor-spec 5.6).
        throw circuitViolation("RELAY_EARLY", "an inbound RELAY_EARLY cell");
      default:
        throw circuitViolation("CELL_COMMAND", `cell command ${command} on a circuit`);
    }
  }

  #receiveRelay(body: Uint8Array): void {
    if (this.#state !== "open") throw circuitViolation("WRONG_STATE", "a RELAY cell before the first hop");
    const { onion } = this.#sender;
    const from = onion.decrypt(body);
    const hop = from === undefined ? undefined : this.#hops[from];
    if (hop === undefined)
      throw circuitViolation("UNRECOGNIZED", "a relay cell that no hop's keys recognise");
    receiveRelayCell(
      { hops: this.#hops, extended: (handshake) => this.#arrived("EXTENDED2", handshake) },
      hop,
      hop.format.decode(body),
      onion.tag,
    );
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
    this.#awaited?.arrived.reject(reason);
    this.#awaited = undefined;
    if (error?.kind === "protocol-violation") {
      const data = { circuit: this.id, error: error.code };
      this.#log?.({ level: "warn", code: "circuit-violation", message: error.message, data });
    }
    for (const hop of this.#hops) {
      for (const stream of hop.streams.clear()) stream.fail(reason);
    }
    this.#unusedSince = this.#clock.monotonic();
    this.#slot.destroy();
    this.#sender.onion.destroy();
    this.#closed.resolve(error);
  }
}

function circuitClosed(): TorError {
  return new TorError("circuit-collapse", "ALLIUM_E_CIRCUIT_CLOSED", "the circuit was closed");
}
