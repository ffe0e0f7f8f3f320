// Who feeds a receiver keeps to what Tor's windows let a relay send, by what the application has taken: a stream's window of 500 cells
// (tor-spec 7.4) is 3.9 messages of 64 KiB. The receivers without flow control are held to more, since a WebSocket has no
// back-pressure of its own and would otherwise have everything in memory at once.

import { isClient, type VersionName } from "./protocol.ts";

export function messagesAhead(version: VersionName): number {
  return isClient(version) ? 3 : 16;
}

/** Counts out messages. */
export class Pace {
  readonly #ahead: number;
  readonly #perMessage: number;
  #delivered = 0;
  #onChange: () => void = () => {};

  /** @param perMessage application bytes in a message, on average */
  constructor(ahead: number, perMessage: number) {
    this.#ahead = ahead;
    this.#perMessage = perMessage;
  }

  /** So many application bytes in all have been taken. */
  delivered(bytes: number): void {
    this.#delivered = bytes;
    this.#onChange();
  }

  /** How many messages may be sent in all by now. */
  get allowed(): number {
    return this.#ahead + Math.floor(this.#delivered / this.#perMessage);
  }

  /** Settles when more than `sent` messages may be sent. */
  async until(sent: number): Promise<void> {
    while (this.allowed <= sent)
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
  }
}
