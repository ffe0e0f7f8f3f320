// What the circuit room offers to those above it: circuits made hop by hop, and streams on them (tor-spec 5, 6).
// Not here: which relays, when and why.

import type { ByteStream } from "../base/byte-stream.ts";
import type { TorError } from "../base/errors.ts";
import type { ChannelTarget } from "../link/api.ts";
import type { NegotiatedHop } from "./handshake/negotiation.ts";
import type { HopHandshake } from "./hop-layer.ts";

/** What is needed to extend a circuit to a relay (tor-spec 5.1.2 and 5.1.4). */
export interface HopTarget extends ChannelTarget {
  /** The relay's ntor onion key, 32 bytes. */
  readonly ntorOnionKey: Uint8Array;
}

/** A stream inside a circuit. Reading drives the stream's flow control, so an unread stream stops its sender. */
export interface TorStream extends ByteStream {
  /** Fulfilled on CONNECTED; rejected with the error when the stream is over before. */
  readonly connected: Promise<void>;
  /** The address in CONNECTED (4 or 16 bytes), where the exit told it. */
  readonly remoteAddress: Uint8Array | undefined;
  /** Fulfilled with undefined after a clean END (reason DONE) or our own close, with the error otherwise. */
  readonly closed: Promise<TorError | undefined>;
}

export interface StreamOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until a stream that has no answer fails. */
  readonly timeout?: number;
  /** Whether CONNECTED may name an internal address (private networks only). */
  readonly allowPrivateAddresses?: boolean;
  /** Whether the exit's IPv6 policy allows the port: BEGIN then says that IPv6 is okay, as C tor's does. */
  readonly ipv6?: boolean;
  /**
   * Whether the stream is given out once BEGIN is sent: what is written to it goes on its way without waiting for
   * CONNECTED (proposal 181), and is lost if that never comes.
   */
  readonly optimistic?: boolean;
}

/** The most cells of a circuit in either direction; one more closes it. */
export interface CellLimits {
  readonly incoming?: number;
  readonly outgoing?: number;
}

/** An address that a name has, as the exit says. */
export interface ResolvedAddress {
  /** IPv4 or IPv6 in its canonical form, without brackets. */
  readonly address: string;
  /** Seconds for which it may be kept. */
  readonly ttl: number;
}

export interface CircuitOptions {
  /** The handshake with the hop, which may have been begun ahead; a plain ntor handshake unless told otherwise. */
  readonly handshake?: HopHandshake;
  readonly signal?: AbortSignal;
  /** Milliseconds until a relay that does not answer fails the circuit. */
  readonly timeout?: number;
}

/** Bytes of a circuit's cells, 514 each: handshakes and flow control included, the link's TLS and padding not. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

/** A relay on a circuit. */
export interface CircuitHop {
  readonly target: ChannelTarget;
  /** What its handshake came to. */
  readonly agreed: NegotiatedHop;
}

/** A circuit in use. */
export interface Circuit {
  /** Unique within the client; for events and logs. */
  readonly id: number;
  readonly hops: readonly CircuitHop[];
  readonly isClosed: boolean;
  /** Fulfilled with the reason once the circuit is gone; undefined when we closed it. */
  readonly closed: Promise<TorError | undefined>;
  readonly streamCount: number;
  /** Monotonic time when the last stream left, or undefined while one is open. */
  readonly unusedSince: number | undefined;
  /** Since the circuit was begun. */
  readonly traffic: Traffic;
  /** Adds a hop by EXTEND2. */
  extend(target: HopTarget, options?: CircuitOptions): Promise<void>;
  /** BEGIN to `hostname:port` at the last hop; settles on CONNECTED, or at once when it is optimistic. */
  openStream(hostname: string, port: number, options?: StreamOptions): Promise<TorStream>;
  /** BEGIN_DIR at the last hop. */
  openDirectoryStream(options?: StreamOptions): Promise<TorStream>;
  /** RESOLVE at the last hop; never an empty list. */
  resolve(hostname: string, options?: StreamOptions): Promise<ResolvedAddress[]>;
  /** Lets go of keystream made ahead of need, for a circuit that nobody uses for now. */
  rest(): void;
  close(error?: TorError): void;
}
