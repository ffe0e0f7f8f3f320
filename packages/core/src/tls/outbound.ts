// The sending half of an established connection (RFC 8446 4.6.3, 5, 6): whatever is sent goes through one queue, so that
// records are sealed and written in order.

import type { ByteStream } from "../base/byte-stream.ts";
import { concat } from "../base/bytes.ts";
import type { TorError } from "../base/errors.ts";
import { type AlertName, encodeAlert } from "./alert.ts";
import { ContentType, HandshakeType, MAX_CONTENT } from "./protocol.ts";
import type { RecordProtection, SealedRecord } from "./record-protection.ts";

/** Records of one write that are sealed together and leave in one write of the pipe: 256 KiB. */
const BATCH = 16;

export class Outbound {
  readonly #pipe: ByteStream;
  readonly #rekeyAfter: number;
  #protection: RecordProtection;
  #tail: Promise<void> = Promise.resolve();
  #updateQueued = false;
  #error: TorError | undefined;
  #dropping = false;

  constructor(pipe: ByteStream, protection: RecordProtection, rekeyAfter: number) {
    this.#pipe = pipe;
    this.#protection = protection;
    this.#rekeyAfter = rekeyAfter;
  }

  /** Seals and writes `data`; settles when the pipe takes more. */
  write(data: Uint8Array): Promise<void> {
    return this.#enqueue(async () => {
      for (let at = 0; at < data.length; at += BATCH * MAX_CONTENT) {
        await this.#writeBatch(data.subarray(at, at + BATCH * MAX_CONTENT));
        if (this.#protection.sequence >= this.#rekeyAfter) await this.#updateKey();
      }
    });
  }

  /** Answers the peer's request for a KeyUpdate; one answer serves all requests that came before it left. */
  requestUpdate(): void {
    if (this.#updateQueued) return;
    this.#updateQueued = true;
    // A failure reaches the connection by the pipe itself.
    this.#enqueue(() => this.#updateKey()).catch(() => {});
  }

  /**
   * Sends `alert` as the last thing; later writes are refused with `error`. Writes that wait go before it, or fail with
   * `error` too where they are to be dropped. Settles when the pipe has taken the alert.
   */
  async finish(alert: AlertName, error: TorError, drop: boolean): Promise<void> {
    const sent = this.#enqueue(async () => {
      await this.#pipe.write(concat(...(await this.#protection.seal(ContentType.alert, encodeAlert(alert)))));
    });
    this.#error = error;
    this.#dropping = drop;
    try {
      await sent;
    } finally {
      this.#protection.destroy();
    }
  }

  /** Refuses everything with `error` from now on, and says nothing to the peer. */
  stop(error: TorError): void {
    this.#error ??= error;
    this.#dropping = true;
    this.#enqueueAlways(async () => this.#protection.destroy());
  }

  #enqueue(job: () => Promise<void>): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#enqueueAlways(job);
  }

  #enqueueAlways(job: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(job);
    this.#tail = done.catch(() => {});
    return done;
  }

  async #writeBatch(data: Uint8Array): Promise<void> {
    if (this.#dropping && this.#error !== undefined) throw this.#error;
    const records: (SealedRecord | Promise<SealedRecord>)[] = [];
    for (let at = 0; at < data.length; at += MAX_CONTENT) {
      records.push(this.#protection.seal(ContentType.applicationData, data.subarray(at, at + MAX_CONTENT)));
    }
    const sealed = await Promise.all(records);
    await this.#pipe.write(concat(...sealed.flat()));
  }

  async #updateKey(): Promise<void> {
    this.#updateQueued = false;
    const message = Uint8Array.of(HandshakeType.keyUpdate, 0, 0, 1, 0 /* update_not_requested */);
    const sealed = await this.#protection.seal(ContentType.handshake, message);
    // Before it is sent: TLS 1.2 refuses here.
    this.#protection = await this.#protection.next();
    await this.#pipe.write(concat(...sealed));
  }
}
