// Which bridge to ask and for which of the relay's addresses: a bridge is kept while it works, then comes the next one;
// the relay never changes.

import { type DialOptions, type RelayAddress, TorError } from "@allium/core";
import { toTorError } from "@allium/core/internal";
import { openBridgeSocket } from "./bridge-socket.ts";
import { destinationMessage, TRY_OTHER_ADDRESS } from "./wire.ts";

/** The bridges of one dialer. */
export interface Bridges {
  readonly urls: readonly string[];
  /** As they were configured, in the same order. */
  readonly names: readonly string[];
  readonly protocols: readonly string[];
  /** Index of the one that worked last. */
  current: number;
}

/** The ways to one relay, each tried once. */
export class Route {
  readonly #bridges: Bridges;
  readonly #target: readonly RelayAddress[];
  readonly #options: DialOptions;
  #bridge: number;
  #bridgesLeft: number;
  #address = 0;

  constructor(bridges: Bridges, target: readonly RelayAddress[], options: DialOptions = {}) {
    this.#bridges = bridges;
    this.#target = target;
    this.#options = options;
    this.#bridge = firstBridge(bridges, options.avoid);
    this.#bridgesLeft = bridges.urls.length - 1;
  }

  /** A socket on which the destination has been sent. @throws TorError of the last bridge when none can be reached */
  async open(signal: AbortSignal | undefined): Promise<WebSocket> {
    const destination = this.#target[this.#address];
    if (destination === undefined) {
      throw new TorError("bad-api-usage", "ALLIUM_E_BAD_ADDRESS", "the relay has no address");
    }
    for (;;) {
      try {
        const url = this.#bridges.urls[this.#bridge] as string;
        const socket = await openBridgeSocket(url, this.#bridges.protocols, signal);
        socket.send(destinationMessage(destination));
        this.#options.onBridge?.(this.#bridges.names[this.#bridge] as string);
        return socket;
      } catch (thrown) {
        const error = toTorError(thrown);
        if (error.kind !== "bridge-unreachable" || !this.#nextBridge()) throw error;
      }
    }
  }

  /** Moves on after a bridge closed with this code; false when nothing is left to try. */
  advance(code: number): boolean {
    if (!TRY_OTHER_ADDRESS.has(code)) return this.#nextBridge();
    if (this.#address + 1 >= this.#target.length) return false;
    this.#address++;
    return true;
  }

  #nextBridge(): boolean {
    const { urls } = this.#bridges;
    const failed = this.#bridge;
    this.#bridge = (failed + 1) % urls.length;
    // What the last bridge said of the relay's addresses is its own word.
    this.#address = 0;
    // Other dials may have moved on already.
    if (this.#bridges.current === failed) this.#bridges.current = this.#bridge;
    if (this.#bridgesLeft === 0) return false;
    this.#bridgesLeft--;
    return true;
  }
}

/** The one that worked last, or the next that is not to be avoided; the former again when all are. */
function firstBridge({ names, current }: Bridges, avoid: ReadonlySet<string> | undefined): number {
  for (let step = 0; step < names.length; step++) {
    const at = (current + step) % names.length;
    if (!avoid?.has(names[at] as string)) return at;
  }
  return current;
}
