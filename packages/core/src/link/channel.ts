// A channel: one authenticated link that carries many circuits (tor-spec 3, 5.1.1, 5.4). Cells are handed to their
// circuits synchronously, in order; a cell that belongs nowhere closes the channel.

import { deferred } from "../base/abort.ts";
import type { RecordStream } from "../base/byte-stream.ts";
import { type TorError, toTorError } from "../base/errors.ts";
import type { Clock, Log } from "../base/ports.ts";
import type { Channel, ChannelTarget, CircuitHandler, CircuitSlot } from "./api.ts";
import type { CellDecoder } from "./cell-codec.ts";
import { CircuitIds } from "./circuit-ids.ts";
import { COMMAND } from "./commands.ts";
import { linkClosed, linkViolation } from "./errors.ts";
import type { LinkHandshake } from "./handshake.ts";
import { Nudge } from "./nudge.ts";
import { Outbound } from "./outbound.ts";
import { ChannelPadding, PADDING_LINK_PROTOCOL, type PaddingRange, STOP_PADDING } from "./padding.ts";
import { Slot, type SlotPhase, unknownCircuit } from "./slot.ts";

/** Reason NONE: tor-spec 5.4 wants no other from clients. */
const DESTROY_NONE = Uint8Array.of(0);
const NO_BODY = new Uint8Array(0);

/** Known commands that a relay has no reason to send to a client whose channel is open. */
const MISPLACED: ReadonlySet<number> = new Set([
  COMMAND.create,
  COMMAND.created,
  COMMAND.createFast,
  COMMAND.create2,
  COMMAND.netinfo,
  COMMAND.paddingNegotiate,
  COMMAND.certs,
  COMMAND.authChallenge,
  COMMAND.authenticate,
]);

/** A command is looked at before its body is waited for, so that no refused cell is gathered first. */
function checkCommand(command: number): void {
  if (MISPLACED.has(command)) throw linkViolation("COMMAND", `command ${command} on an open channel`);
}

export interface LinkChannelOptions {
  readonly target: ChannelTarget;
  /** Whether the relay is told not to pad (padding-spec 2.5). */
  readonly stopRelayPadding?: boolean | undefined;
  readonly clock: Clock;
  readonly log?: Log | undefined;
}

export class LinkChannel implements Channel {
  readonly peer: ChannelTarget;
  readonly linkProtocol: number;
  readonly clockSkew: number;
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  readonly #stream: RecordStream;
  readonly #outbound: Outbound;
  readonly #padding: ChannelPadding;
  readonly #nudge: Nudge;
  readonly #ids = new CircuitIds();
  /** In the order in which they are told that there is room to send. */
  readonly #slots = new Map<number, Slot>();
  readonly #closed = deferred<TorError>();
  #closeError: TorError | undefined;
  #unusedSince: number | undefined;

  /** Starts to read at once. */
  constructor(stream: RecordStream, handshake: LinkHandshake, options: LinkChannelOptions) {
    const { target, clock, log, stopRelayPadding = false } = options;
    this.peer = target;
    this.linkProtocol = handshake.linkProtocol;
    this.clockSkew = handshake.clockSkew;
    this.#clock = clock;
    this.#log = log;
    this.#stream = stream;
    this.#unusedSince = clock.monotonic();
    this.#padding = new ChannelPadding(clock, () => this.#sendPadding());
    this.#nudge = new Nudge(clock, () => this.#sendPadding());
    this.#outbound = new Outbound(stream, clock, {
      sent: (bytes) => {
        this.#padding.touch();
        this.#nudge.sent(bytes);
      },
      drained: () => this.#tellWritable(),
      failed: (error) => this.close(toTorError(error)),
    });
    // C tor sends it right behind NETINFO, and nothing at all where padding is as usual.
    if (stopRelayPadding && this.linkProtocol >= PADDING_LINK_PROTOCOL)
      this.#outbound.send(0, COMMAND.paddingNegotiate, STOP_PADDING);
    handshake.decoder.check = checkCommand;
    void this.#receive(handshake);
  }

  get unusedSince(): number | undefined {
    return this.#unusedSince;
  }

  get circuitCount(): number {
    return this.#slots.size;
  }

  get isClosed(): boolean {
    return this.#closeError !== undefined;
  }

  get closed(): Promise<TorError> {
    return this.#closed.promise;
  }

  attach(handler: CircuitHandler): CircuitSlot {
    if (this.#closeError !== undefined) throw this.#closeError;
    const circuitId = this.#ids.allocate((id) => this.#slots.has(id));
    const slot = new Slot(circuitId, handler, this.#outbound, (phase) => this.#left(circuitId, phase));
    this.#slots.set(circuitId, slot);
    this.#unusedSince = undefined;
    return slot;
  }

  pad(range: PaddingRange): void {
    if (!this.isClosed && this.linkProtocol >= PADDING_LINK_PROTOCOL) this.#padding.use(range);
  }

  close(error: TorError = linkClosed("the link was closed")): void {
    if (this.#closeError !== undefined) return;
    this.#closeError = error;
    this.#padding.stop();
    this.#nudge.stop();
    this.#outbound.stop();
    this.#stream.close(error);
    if (error.kind === "protocol-violation") {
      this.#log?.({
        level: "warn",
        code: "link-violation",
        message: error.message,
        data: { error: error.code },
      });
    }
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    this.#closed.resolve(error);
    for (const slot of slots) slot.channelClosed(error);
  }

  /** The circuit left by itself: what is on its way to it is dropped from now on. */
  #left(circuitId: number, phase: SlotPhase): void {
    this.#forget(circuitId);
    if (phase === "new") return;
    this.#ids.retire(circuitId, phase === "asked");
    this.#outbound.send(circuitId, COMMAND.destroy, DESTROY_NONE);
  }

  #sendPadding(): void {
    if (this.#outbound.isIdle) this.#outbound.send(0, COMMAND.padding, NO_BODY);
  }

  #forget(circuitId: number): void {
    this.#slots.delete(circuitId);
    if (this.#slots.size === 0) this.#unusedSince = this.#clock.monotonic();
  }

  async #receive({ decoder }: LinkHandshake): Promise<void> {
    try {
      // What came behind the handshake.
      while (decoder.next()) this.#dispatch(decoder);
      for (;;) {
        const pieces = await this.#stream.readPieces();
        if (pieces === undefined) throw linkClosed("the relay closed the link");
        this.#padding.touch();
        let length = 0;
        for (const piece of pieces) {
          decoder.append(piece);
          while (decoder.next()) this.#dispatch(decoder);
          length += piece.length;
        }
        this.#nudge.received(length, !this.#outbound.isIdle);
      }
    } catch (thrown) {
      const error = toTorError(thrown);
      // C tor ends links without close_notify: on an open channel a bare end is a close, not an attack.
      this.close(
        error.code === "ALLIUM_E_TLS_TRUNCATED" ? linkClosed("the relay closed the link", error) : error,
      );
    }
  }

  #dispatch({ circuitId, command, bytes, from }: CellDecoder): void {
    switch (command) {
      case COMMAND.relay:
      case COMMAND.relayEarly:
      case COMMAND.createdFast:
      case COMMAND.created2: {
        const slot = this.#slots.get(circuitId);
        return slot === undefined ? this.#dropLate(circuitId, command) : slot.cell(command, bytes, from);
      }
      case COMMAND.destroy:
        return this.#destroyed(circuitId, bytes[from] as number);
      // All else has come through checkCommand: PADDING, VPADDING, later VERSIONS and commands of the future, which
      // must all be dropped (tor-spec 3, 4.1).
    }
  }

  #destroyed(circuitId: number, reason: number): void {
    const slot = this.#slots.get(circuitId);
    if (slot === undefined) {
      this.#dropLate(circuitId, COMMAND.destroy);
      this.#ids.release(circuitId);
      return;
    }
    slot.requireAsked(COMMAND.destroy);
    this.#forget(circuitId);
    slot.destroyed(reason);
  }

  /** A cell that was on its way when we sent DESTROY is no fault of the relay's; any other is. */
  #dropLate(circuitId: number, command: number): void {
    const isAnswer = command === COMMAND.created2 || command === COMMAND.createdFast;
    const late = isAnswer ? this.#ids.takeAnswer(circuitId) : this.#ids.isRetired(circuitId);
    if (!late || command === COMMAND.relayEarly) throw unknownCircuit(command);
  }

  /** Whoever is told goes to the end of the line, so that one busy circuit cannot keep the others from sending. */
  #tellWritable(): void {
    for (const slot of [...this.#slots.values()]) {
      if (this.#outbound.congested) return;
      if (!this.#slots.delete(slot.circuitId)) continue;
      this.#slots.set(slot.circuitId, slot);
      slot.writable();
    }
  }
}
