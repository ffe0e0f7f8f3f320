// A channel: one authenticated link that carries many circuits (tor-spec 3, 5.1.1, 5.4). Cells are handed to their
// circuits synchronously, in order; a cell that belongs nowhere closes the channel.

import { deferred } from "../base/abort.ts";
import type { ByteStream } from "../base/byte-stream.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { Channel, ChannelTarget, CircuitHandler, CircuitSlot } from "./api.ts";
import { CircuitIds } from "./circuit-ids.ts";
import { type Cell, COMMAND, isVariableLength } from "./commands.ts";
import { linkViolation } from "./errors.ts";
import type { LinkHandshake } from "./handshake.ts";
import { Outbound } from "./outbound.ts";

/** tor-spec 5.4: clients tell no reason. */
const DESTROY_NONE = Uint8Array.of(0);

/** Cells that a relay may send a client for a circuit. */
const CIRCUIT_COMMANDS: ReadonlySet<number> = new Set([
  COMMAND.relay,
  COMMAND.relayEarly,
  COMMAND.createdFast,
  COMMAND.created2,
  COMMAND.destroy,
]);

/** Known commands that have no place on an open channel towards a client. */
const MISPLACED_COMMANDS: ReadonlySet<number> = new Set([
  1, // CREATE
  2, // CREATED: TAP is not spoken
  COMMAND.createFast,
  COMMAND.create2,
  COMMAND.versions,
  COMMAND.netinfo,
  12, // PADDING_NEGOTIATE: only clients send it
  COMMAND.certs,
  COMMAND.authChallenge,
  131, // AUTHENTICATE
]);

export class LinkChannel implements Channel {
  readonly peer: ChannelTarget;
  readonly linkProtocol: number;
  readonly clockSkew: number;
  readonly #clock: Clock;
  readonly #stream: ByteStream;
  readonly #outbound: Outbound;
  readonly #ids = new CircuitIds();
  readonly #circuits = new Map<number, CircuitHandler>();
  readonly #closed = deferred<TorError>();
  #closeError: TorError | undefined;
  #unusedSince: number | undefined;
  /** Which circuit is told first that the channel has room again. */
  #turn = 0;

  constructor(stream: ByteStream, handshake: LinkHandshake, peer: ChannelTarget, clock: Clock) {
    this.peer = peer;
    this.linkProtocol = handshake.linkProtocol;
    this.clockSkew = handshake.clockSkew;
    this.#clock = clock;
    this.#stream = stream;
    this.#unusedSince = clock.monotonic();
    this.#outbound = new Outbound(stream, clock, {
      drained: () => this.#tellWritable(),
      failed: (error) => this.close(toTorError(error)),
    });
    void this.#receive(handshake);
  }

  get unusedSince(): number | undefined {
    return this.#unusedSince;
  }

  get circuitCount(): number {
    return this.#circuits.size;
  }

  get isClosed(): boolean {
    return this.#closeError !== undefined;
  }

  get closed(): Promise<TorError> {
    return this.#closed.promise;
  }

  attach(handler: CircuitHandler): CircuitSlot {
    if (this.#closeError !== undefined) throw this.#closeError;
    const circuitId = this.#ids.allocate((id) => this.#circuits.has(id));
    this.#circuits.set(circuitId, handler);
    this.#unusedSince = undefined;
    return new Slot(this, this.#outbound, circuitId);
  }

  close(
    error: TorError = new TorError("circuit-collapse", "ALLIUM_E_LINK_CLOSED", "the link was closed"),
  ): void {
    if (this.#closeError !== undefined) return;
    this.#closeError = error;
    this.#stream.close(error);
    const handlers = [...this.#circuits.values()];
    this.#circuits.clear();
    this.#closed.resolve(error);
    for (const handler of handlers) handler.channelClosed(error);
  }

  /** Takes a circuit off the channel; its late cells are dropped from then on. */
  detach(circuitId: number): void {
    if (!this.#circuits.delete(circuitId)) return;
    this.#ids.retire(circuitId);
    this.#noteUnused();
    if (!this.isClosed) this.#outbound.send(circuitId, COMMAND.destroy, DESTROY_NONE);
  }

  isAttached(circuitId: number): boolean {
    return this.#circuits.has(circuitId);
  }

  async #receive({ decoder }: LinkHandshake): Promise<void> {
    try {
      for (;;) {
        for (let cell = decoder.next(); cell !== undefined; cell = decoder.next()) {
          this.#dispatch(cell);
          if (this.isClosed) return;
        }
        const chunk = await this.#stream.read();
        if (chunk === undefined) {
          throw new TorError("circuit-collapse", "ALLIUM_E_LINK_CLOSED", "the relay closed the link");
        }
        decoder.append(chunk);
      }
    } catch (error) {
      this.close(toTorError(error));
    }
  }

  #dispatch(cell: Cell): void {
    const { command, circuitId } = cell;
    if (CIRCUIT_COMMANDS.has(command)) return this.#toCircuit(cell);
    if (MISPLACED_COMMANDS.has(command)) throw linkViolation(`command ${command} on an open channel`);
    // PADDING, VPADDING and commands of the future: nothing to do (tor-spec 3), on circuit 0 only.
    if (circuitId !== 0 && !isVariableLength(command)) {
      throw linkViolation(`command ${command} for circuit ${circuitId}`);
    }
  }

  #toCircuit({ circuitId, command, body }: Cell): void {
    const handler = this.#circuits.get(circuitId);
    if (handler === undefined) {
      if (!this.#ids.isRetired(circuitId)) throw linkViolation("a cell for a circuit that is not there");
      if (command === COMMAND.destroy) this.#ids.release(circuitId);
    } else if (command === COMMAND.destroy) {
      this.#circuits.delete(circuitId);
      this.#noteUnused();
      handler.destroyed(body[0] as number);
    } else {
      handler.cell(command, body);
    }
  }

  #tellWritable(): void {
    const handlers = [...this.#circuits.values()];
    this.#turn = handlers.length === 0 ? 0 : (this.#turn + 1) % handlers.length;
    for (let i = 0; i < handlers.length && !this.#outbound.congested; i++) {
      handlers[(this.#turn + i) % handlers.length]?.writable();
    }
  }

  #noteUnused(): void {
    if (this.#circuits.size === 0) this.#unusedSince = this.#clock.monotonic();
  }
}

class Slot implements CircuitSlot {
  readonly circuitId: number;
  readonly #channel: LinkChannel;
  readonly #outbound: Outbound;

  constructor(channel: LinkChannel, outbound: Outbound, circuitId: number) {
    this.#channel = channel;
    this.#outbound = outbound;
    this.circuitId = circuitId;
  }

  get congested(): boolean {
    return this.#outbound.congested;
  }

  send(command: number, body: Uint8Array): void {
    // After DESTROY in either direction the id is not ours to use.
    if (this.#channel.isAttached(this.circuitId)) this.#outbound.send(this.circuitId, command, body);
  }

  destroy(): void {
    this.#channel.detach(this.circuitId);
  }
}
