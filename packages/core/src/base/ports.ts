// The four ports, all of the outside world that core sees, and a fifth that a platform may fill for speed.
// Each has a compliance suite in `testing/`.

import type { RelayAddress } from "./address.ts";

/** A pipe of raw bytes, as a Dialer returns it. */
export interface Duplex {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Settles when the pipe is gone: fulfilled after a clean end, rejected with a TorError otherwise. */
  readonly closed: Promise<void>;
  /** Ends the pipe in both directions at once. Idempotent. */
  close(reason?: unknown): void;
}

export interface DialOptions {
  readonly signal?: AbortSignal;
  /** Bridges, by the names that `onBridge` was given, not to go through while there is another. */
  readonly avoid?: ReadonlySet<string>;
  /**
   * Told by a dialer that goes through bridges which one has taken the connection on, and again when another one does.
   * The name stays the same for the same bridge.
   */
  readonly onBridge?: (name: string) => void;
}

/** Carries raw bytes to a relay's ORPort. */
export interface Dialer {
  /** How many bridges there are to go through, each told to `onBridge`; undefined where connections need none. */
  readonly bridges?: number;
  /**
   * Connects to the first of `target` that answers. All addresses belong to one relay.
   * @throws TorError `bridge-unreachable`, `bridge-refused`, `offline` or `aborted`
   */
  dial(target: readonly RelayAddress[], options?: DialOptions): Promise<Duplex>;
  /** The bridge of this name is under suspicion: whatever goes through bridges begins with another one from now on. */
  leave?(bridge: string): void;
}

/** Small persistent state: keys are short ASCII names, values are bytes. */
export interface Store {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Applies all entries or none; `undefined` deletes. */
  set(entries: ReadonlyMap<string, Uint8Array | undefined>): Promise<void>;
  /** Runs `fn` while no other holder of the same name runs, in any tab or process that shares the store. */
  lock<T>(name: string, fn: () => Promise<T>): Promise<T>;
}

export interface Timer {
  /** Fulfilled once the time is over; never settles after `cancel()`. */
  readonly fired: Promise<void>;
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch; may jump. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number;
  timer(ms: number): Timer;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** One structured log line. `code` is stable; no destination, address or key at `info` and above. */
export interface LogEvent {
  readonly level: LogLevel;
  readonly code: string;
  readonly message: string;
  readonly data?: Readonly<Record<string, string | number | boolean>>;
}

export type Log = (event: LogEvent) => void;

/** AES-GCM (NIST SP 800-38D) under one key: nonces of 12 bytes, tags of 16 at the end of the ciphertext. */
export interface GcmCipher {
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** Undefined when the tag does not fit. */
  open(nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined;
}

/** An AES-CTR keystream (NIST SP 800-38A 6.5) from its first byte on. */
export interface CtrCipher {
  /** The next `length` bytes, in memory that nobody else holds. */
  next(length: number): Uint8Array;
}

/**
 * Ciphers of a platform that has them synchronously, as Node has. Optional: without them WebCrypto does the same, at the
 * price of a promise and, in Node, of a thread's wake-up for every record (23 to 77 µs against 4).
 */
export interface Ciphers {
  /** @param key 16 or 32 bytes, copied */
  gcm(key: Uint8Array): GcmCipher;
  /** @param key 16 or 32 bytes, copied @param counter the first counter block, 16 bytes, copied */
  ctr(key: Uint8Array, counter: Uint8Array): CtrCipher;
}
