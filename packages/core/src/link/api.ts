// What the link room offers to the circuit room: a channel to one relay that carries many circuits (tor-spec 3, 5.1.1).
// Not here: what a circuit's cells mean.

import type { RelayAddress } from "../base/address.ts";
import type { TorError } from "../base/errors.ts";
import type { PaddingRange } from "./padding.ts";

/** Bytes of a fixed-length cell's body (tor-spec 3, CELL_BODY_LEN). */
export const CELL_BODY_LENGTH = 509;

/** The identities a relay must prove; both are always checked. */
export interface RelayIdentity {
  /** SHA-1 of the RSA identity key, 20 bytes. */
  readonly rsaId: Uint8Array;
  /** Ed25519 identity key, 32 bytes. */
  readonly ed25519Id: Uint8Array;
}

/** A relay to open a channel to. */
export interface ChannelTarget extends RelayIdentity {
  readonly addresses: readonly RelayAddress[];
}

/** Receives the cells of one circuit, synchronously and in order. */
export interface CircuitHandler {
  /**
   * A cell for this circuit: CREATED_FAST, CREATED2, RELAY or RELAY_EARLY. Its body is the 509 bytes from `from` on
   * (CREATED2's payload included). They are the channel's again after the call: what is to stay must be copied.
   */
  cell(command: number, bytes: Uint8Array, from: number): void;
  /** The peer sent DESTROY with this reason (tor-spec 5.4). The id is already released. */
  destroyed(reason: number): void;
  /** The channel is gone. */
  channelClosed(error: TorError): void;
  /** Called when the channel can take cells again after `congested` was true. */
  writable(): void;
}

/** One circuit's place on a channel. */
export interface CircuitSlot {
  readonly circuitId: number;
  /** Queues a fixed cell; `body` is 509 bytes and is copied at once. Cells of one turn leave in one write. */
  send(command: number, body: Uint8Array): void;
  /** Whether the channel's send queue is above its mark: hold data cells back until `writable()`. */
  readonly congested: boolean;
  /** Sends DESTROY with reason NONE unless the peer already did, and releases the handler. Idempotent. */
  destroy(): void;
}

/** An authenticated link to a relay. */
export interface Channel {
  readonly peer: ChannelTarget;
  /** 4 or 5 (tor-spec 4.1). */
  readonly linkProtocol: number;
  /** Relay's clock minus ours in milliseconds, as far as its NETINFO makes it certain; 0 when it may be right. */
  readonly clockSkew: number;
  /** Monotonic time when the last circuit left, or undefined while one is open. */
  readonly unusedSince: number | undefined;
  readonly circuitCount: number;
  readonly isClosed: boolean;
  /** Fulfilled with the reason once the channel is gone. */
  readonly closed: Promise<TorError>;
  /**
   * Pads the link from now on (padding-spec 2), since it carries circuits of more than one hop. A later range replaces this
   * one; zeros end it.
   */
  pad(range: PaddingRange): void;
  /** Allocates a circuit id (tor-spec 5.1.1). @throws TorError when the channel is closed or has no id free */
  attach(handler: CircuitHandler): CircuitSlot;
  close(error?: TorError): void;
}
