// A channel in memory whose other end are scripted relays: for one circuit at a time.

import { systemClock } from "../../base/clock.ts";
import type { TorError } from "../../base/errors.ts";
import type { Clock } from "../../base/ports.ts";
import type { Channel, CircuitHandler } from "../../link/api.ts";
import type { PaddingRange } from "../../link/padding.ts";
import { RelayCircuit } from "./circuit.ts";
import type { ScriptedRelay } from "./keys.ts";

/** The relays of one circuit together with the channel to the first of them. */
export class ScriptedRelays extends RelayCircuit {
  readonly channel: Channel;
  /** Cells of the client's as they came. */
  readonly sentCells: { command: number; body: Uint8Array }[] = [];
  /** What the channel was asked to pad with. */
  readonly padding: PaddingRange[] = [];
  destroyedByClient = false;
  congested = false;
  #handler: CircuitHandler | undefined;

  /** @param known relays that can be extended to; the first is the channel's peer */
  constructor(known: readonly ScriptedRelay[], clock: Clock = systemClock) {
    super({ relays: known, clock, send: (command, body) => this.deliver(command, body) });
    this.channel = this.#makeChannel(known[0] as ScriptedRelay);
  }

  /** Hands a cell to the client as it is. */
  deliver(command: number, body: Uint8Array): void {
    this.#handler?.cell(command, body, 0);
  }

  destroy(reason: number): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.destroyed(reason);
  }

  closeChannel(error: TorError): void {
    this.#handler?.channelClosed(error);
  }

  writable(): void {
    this.congested = false;
    this.#handler?.writable();
  }

  #makeChannel(peer: ScriptedRelay): Channel {
    const relays = this;
    return {
      ...{ peer, linkProtocol: 5, clockSkew: 0, unusedSince: undefined, isClosed: false },
      closed: new Promise(() => {}),
      get circuitCount() {
        return relays.#handler === undefined ? 0 : 1;
      },
      attach(handler) {
        relays.#handler = handler;
        return {
          circuitId: 0x80000001,
          get congested() {
            return relays.congested;
          },
          send(command, body) {
            if (body.length !== 509) throw new Error(`a cell body of ${body.length} bytes`);
            relays.sentCells.push({ command, body: body.slice() });
            relays.receive(command, body);
          },
          destroy() {
            relays.destroyedByClient ||= relays.#handler !== undefined;
            relays.#handler = undefined;
          },
        };
      },
      pad: (range) => void relays.padding.push(range),
      close() {},
    };
  }
}
