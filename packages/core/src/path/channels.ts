// The pool of channels: one to each relay, shared by all circuits through it (tor-spec 3, padding-spec 3.1 for lifetimes).
// Not here: how a channel is made (link), circuits.

import { abortable, abortError, onAbort } from "../base/abort.ts";
import { toHex } from "../base/encoding.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import { randomInt } from "../base/random.ts";
import type { Channel, ChannelTarget, RelayIdentity } from "../link/api.ts";
import type { PaddingMode } from "./padding.ts";

export interface ChannelPoolOptions {
  readonly clock: Clock;
  /** Opens a channel to a relay; must end by itself (timeout) and when the signal aborts. */
  readonly open: (target: ChannelTarget, signal: AbortSignal) => Promise<Channel>;
  readonly padding?: PaddingMode;
}

/**
 * A channel without circuits is closed after 3 to 4.5 minutes, with reduced padding after half of that, as in C tor
 * (channelpadding_get_channel_idle_timeout): less is costly, more is a fingerprint.
 */
const IDLE_MIN = 180_000;
const IDLE_SPREAD = 90_000;
const SWEEP_INTERVAL = 15_000;

interface Entry {
  readonly pending: Promise<Channel>;
  readonly controller: AbortController;
  waiting: number;
  channel: Channel | undefined;
  readonly idleTime: number;
}

/** Channels by relay identity. */
export class ChannelPool {
  readonly #options: ChannelPoolOptions;
  readonly #entries = new Map<string, Entry>();
  /** Those that carry circuits still, or are being opened for some, and get no new ones. */
  readonly #retired = new Set<Entry>();
  #closed: TorError | undefined;
  #stopSweep: (() => void) | undefined;

  constructor(options: ChannelPoolOptions) {
    this.#options = options;
  }

  /** Open channels. */
  get size(): number {
    return [...this.#entries.values()].filter((entry) => entry.channel !== undefined).length;
  }

  /**
   * The channel to this relay, opened if there is none; who asks meanwhile waits for the same one.
   * Opening is given up when all who wait for it have.
   */
  async get(target: ChannelTarget, signal?: AbortSignal): Promise<Channel> {
    if (this.#closed !== undefined) throw this.#closed;
    const key = identityKey(target);
    const known = this.#entries.get(key);
    if (known?.channel !== undefined && !known.channel.isClosed) return known.channel;
    const entry = known === undefined || known.channel !== undefined ? this.#open(key, target) : known;
    entry.waiting++;
    const forget = onAbort(signal, (error) => {
      if (--entry.waiting === 0 && entry.channel === undefined) {
        this.#forget(key, entry);
        entry.controller.abort(error);
      }
    });
    try {
      return await abortable(entry.pending, signal);
    } finally {
      forget();
    }
  }

  /** Nothing new goes over a channel on which nobody answers; it closes with its last circuit. */
  retire(channel: Channel): void {
    for (const [key, entry] of this.#entries) if (entry.channel === channel) this.#retire(key, entry);
  }

  /** Nothing new goes over any channel of now, or over one that is being opened. */
  retireAll(): void {
    for (const [key, entry] of this.#entries) this.#retire(key, entry);
  }

  /** Closes all channels and refuses new ones. */
  close(error = new TorError("aborted", "ALLIUM_E_CLOSED", "the client is closed")): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#stopSweep?.();
    for (const entry of [...this.#entries.values(), ...this.#retired]) {
      entry.controller.abort(error);
      entry.channel?.close(error);
    }
    this.#entries.clear();
    this.#retired.clear();
  }

  #open(key: string, target: ChannelTarget): Entry {
    const controller = new AbortController();
    const pending = this.#options.open(target, controller.signal).then(
      (channel) => {
        if (controller.signal.aborted) {
          const error = abortError(controller.signal);
          channel.close(error);
          throw error;
        }
        entry.channel = channel;
        channel.closed.then(() => this.#forget(key, entry));
        this.#startSweep();
        return channel;
      },
      (error) => {
        this.#forget(key, entry);
        throw toTorError(error);
      },
    );
    pending.catch(() => {});
    const scale = this.#options.padding === "reduced" ? 0.5 : 1;
    const idleTime = scale * (IDLE_MIN + randomInt(IDLE_SPREAD));
    const entry: Entry = { pending, controller, waiting: 0, channel: undefined, idleTime };
    this.#entries.set(key, entry);
    return entry;
  }

  #retire(key: string, entry: Entry): void {
    this.#forget(key, entry);
    this.#retired.add(entry);
    this.#startSweep();
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    this.#retired.delete(entry);
  }

  #startSweep(): void {
    if (this.#stopSweep !== undefined) return;
    const timer = this.#options.clock.timer(SWEEP_INTERVAL);
    this.#stopSweep = () => timer.cancel();
    timer.fired.then(() => {
      this.#stopSweep = undefined;
      this.#sweep();
      if (this.#entries.size + this.#retired.size > 0) this.#startSweep();
    });
  }

  #sweep(): void {
    for (const { channel } of [...this.#retired]) if (channel?.circuitCount === 0) channel.close();
    const now = this.#options.clock.monotonic();
    for (const [key, entry] of this.#entries) {
      const unusedSince = entry.channel?.unusedSince;
      if (unusedSince === undefined || now - unusedSince < entry.idleTime) continue;
      this.#forget(key, entry);
      entry.channel?.close();
    }
  }
}

function identityKey(identity: RelayIdentity): string {
  return toHex(identity.rsaId) + toHex(identity.ed25519Id);
}
