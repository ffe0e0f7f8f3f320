// The receiving half of an established connection (RFC 8446 4.6, 5, 6; RFC 5246 7): records are decrypted as they come, many at a time,
// and delivered in order, those that came together in one piece; messages after the handshake are acted on.

import { type Deferred, deferred } from "../base/abort.ts";
import { concat } from "../base/bytes.ts";
import type { TorError } from "../base/errors.ts";
import {
  alertError,
  type FaultKind,
  faultOf,
  flood,
  parseAlert,
  TlsError,
  truncated,
  unexpectedMessage,
} from "./alert.ts";
import { type HandshakeMessage, HandshakeReader } from "./handshake-reader.ts";
import { ContentType, HandshakeType, type TlsVersion } from "./protocol.ts";
import type { InnerRecord, RecordProtection } from "./record-protection.ts";
import type { RawRecord, RecordReader } from "./record-reader.ts";
import { checkNewSessionTicket, parseKeyUpdate } from "./server-messages.ts";

/** Bytes, sealed and open, above which the pipe is read no further until the application reads. */
const READ_AHEAD = 256 * 1024;

/** What a record is counted with beside its bytes: its objects take that much, and there may be one for every byte. */
const RECORD_COST = 256;

/**
 * Records in succession without application data (KeyUpdates, session tickets, empty records) that are borne.
 * Servers send two to four tickets, and a KeyUpdate every few gigabytes.
 */
const MAX_IDLE_RECORDS = 32;

interface Sealed {
  readonly record: RawRecord;
  /** Undefined once a KeyUpdate has made what was begun ahead worthless. */
  opened: InnerRecord | Promise<InnerRecord> | undefined;
  /** Whether it is the last of those that came together. */
  last: boolean;
}

export interface InboundEvents {
  /** The peer wants a KeyUpdate from us (RFC 8446 4.6.3). */
  updateRequested(): void;
  /** The first failure; the connection is dead. */
  failed(error: TorError): void;
}

interface InboundOptions {
  readonly version: TlsVersion;
  readonly protection: RecordProtection;
  /** Kind of the errors for what the peer does wrong. */
  readonly faultKind: FaultKind;
}

export class Inbound {
  readonly #records: RecordReader;
  readonly #events: InboundEvents;
  readonly #messages = new HandshakeReader();
  readonly #version: TlsVersion;
  readonly #faultKind: FaultKind;
  #protection: RecordProtection;
  /** Records in the order in which they came, all of them being decrypted. */
  #sealed: Sealed[] = [];
  #ready: Uint8Array[] = [];
  #held = 0;
  #idleRecords = 0;
  #delivering = false;
  #delivery: Promise<void> = Promise.resolve();
  #ended = false;
  #error: TorError | undefined;
  #reader: Deferred<void> | undefined;
  #room: Deferred<void> | undefined;

  constructor(records: RecordReader, options: InboundOptions, events: InboundEvents) {
    this.#records = records;
    this.#version = options.version;
    this.#faultKind = options.faultKind;
    this.#protection = options.protection;
    this.#events = events;
  }

  /** Reads the pipe until it ends, the peer closes, or something fails. Never rejects. */
  async run(): Promise<void> {
    let error: unknown;
    try {
      while (!this.#over) {
        const full = this.#takeRecords();
        if (!this.#delivering) this.#delivery = this.#deliver();
        if (this.#held >= READ_AHEAD) await this.#untilRead();
        else if (full) continue;
        else if (!(await this.#records.fill())) throw truncated("the pipe ended without close_notify");
      }
    } catch (cause) {
      error = cause;
    }
    // What came before the end counts first: it may hold data, an alert or close_notify.
    if (!this.#delivering) this.#delivery = this.#deliver();
    await this.#delivery;
    if (error !== undefined) this.#fail(error);
    this.#protection.destroy();
  }

  /** Everything decrypted so far, or undefined after close_notify. What came before a failure comes before it here. */
  async read(): Promise<Uint8Array | undefined> {
    const pieces = await this.readPieces();
    return pieces?.length === 1 ? pieces[0] : pieces && concat(...pieces);
  }

  /** The same, a record in a piece. */
  async readPieces(): Promise<readonly Uint8Array[] | undefined> {
    while (this.#ready.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      this.#reader ??= deferred();
      await this.#reader.promise;
    }
    const ready = this.#ready;
    this.#ready = [];
    this.#release(ready.reduce((sum, { length }) => sum + length + RECORD_COST, 0));
    return ready;
  }

  /** Ends reading: with the error, or as after close_notify. */
  stop(error: TorError | undefined): void {
    if (this.#over) return;
    this.#error = error;
    this.#ended = true;
    this.#sealed = [];
    this.#wake();
  }

  get #over(): boolean {
    return this.#ended || this.#error !== undefined;
  }

  #fail(cause: unknown): void {
    if (this.#over) return;
    const error = faultOf(cause, this.#faultKind);
    this.stop(error);
    this.#events.failed(error);
  }

  #wake(): void {
    this.#wakeReader();
    this.#room?.resolve();
    this.#room = undefined;
  }

  #wakeReader(): void {
    this.#reader?.resolve();
    this.#reader = undefined;
  }

  async #untilRead(): Promise<void> {
    this.#room ??= deferred();
    await this.#room.promise;
  }

  #release(bytes: number): void {
    this.#held -= bytes;
    if (this.#held < READ_AHEAD) {
      this.#room?.resolve();
      this.#room = undefined;
    }
  }

  /** Delivers until no record waits, while `run` goes on reading. Never rejects. */
  async #deliver(): Promise<void> {
    this.#delivering = true;
    try {
      for (let next = this.#sealed[0]; next !== undefined; next = this.#sealed[0]) {
        next.opened ??= this.#open(next.record);
        const inner = next.opened instanceof Promise ? await next.opened : next.opened;
        if (this.#over) break;
        this.#sealed.shift();
        const done = this.#accept(inner);
        if (done !== undefined) await done;
        // Only now, so that what the record brought is counted first; padding brings nothing, and nobody reads it.
        this.#release(next.record.fragment.length + RECORD_COST);
        if (this.#over) break;
        // What came together is read together: the reader's turn costs more than a record.
        if (next.last && this.#ready.length > 0) this.#wakeReader();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#delivering = false;
  }

  /**
   * Takes records up to the read-ahead, and begins to decrypt them all: WebCrypto's latency, not its speed, is what that
   * hides. What is left of the pipe's chunk waits, however large that is.
   */
  #takeRecords(): boolean {
    let sealed: Sealed | undefined;
    let full = true;
    while (this.#held < READ_AHEAD) {
      const record = this.#records.take();
      if (record === undefined) {
        full = false;
        break;
      }
      if (!this.#protection.carries(record.type)) {
        throw unexpectedMessage(`a record of type ${record.type} in the clear after the handshake`);
      }
      const previous = this.#sealed.at(-1);
      const inOrder = previous === undefined || previous.opened !== undefined;
      sealed = { record, opened: inOrder ? this.#open(record) : undefined, last: false };
      this.#sealed.push(sealed);
      this.#held += record.fragment.length + RECORD_COST;
    }
    if (sealed !== undefined) sealed.last = true;
    return full;
  }

  /** Its failure counts when its turn comes; after a KeyUpdate it does not count at all. */
  #open(record: RawRecord): InnerRecord | Promise<InnerRecord> {
    let opened: InnerRecord | Promise<InnerRecord>;
    try {
      opened = this.#protection.open(record);
    } catch (error) {
      opened = Promise.reject(error);
    }
    if (opened instanceof Promise) opened.catch(() => {});
    return opened;
  }

  /** Gives a promise only where there is something to wait for. */
  #accept({ type, content }: InnerRecord): Promise<void> | undefined {
    this.#idleRecords =
      type === ContentType.applicationData && content.length > 0 ? 0 : this.#idleRecords + 1;
    if (this.#idleRecords > MAX_IDLE_RECORDS) {
      throw flood("too many records without data");
    }
    if (type === ContentType.handshake) {
      this.#messages.push(content);
      return this.#takeMessages();
    }
    if (this.#messages.pending)
      throw unexpectedMessage(`a record of type ${type} within a handshake message`);
    if (type === ContentType.alert) this.#alert(content);
    else if (content.length > 0) this.#push(content);
    return undefined;
  }

  #push(content: Uint8Array): void {
    this.#ready.push(content);
    this.#held += content.length + RECORD_COST;
  }

  #alert(content: Uint8Array): void {
    const { name, warning } = parseAlert(content);
    if (name === "close_notify") this.stop(undefined);
    // Before TLS 1.3 warnings end nothing (RFC 5246 7.2.2).
    else if (name !== "user_canceled" && !(warning && this.#version === "TLS 1.2")) throw alertError(name);
  }

  async #takeMessages(): Promise<void> {
    for (let message = this.#messages.take(); message !== undefined; message = this.#messages.take()) {
      await this.#message(message);
    }
  }

  async #message({ type, body }: HandshakeMessage): Promise<void> {
    if (this.#version === "TLS 1.2") throw afterHandshake12(type);
    if (type === HandshakeType.newSessionTicket) {
      checkNewSessionTicket(body);
    } else if (type === HandshakeType.keyUpdate) {
      await this.#updateKey(parseKeyUpdate(body));
    } else {
      throw unexpectedMessage(`a handshake message of type ${type} after the handshake`);
    }
  }

  async #updateKey(answer: boolean): Promise<void> {
    if (this.#messages.pending) throw unexpectedMessage("a handshake message across a change of keys");
    this.#protection = await this.#protection.next();
    // Decrypts that were begun ahead used the old key.
    for (const sealed of this.#sealed) sealed.opened = undefined;
    if (answer) this.#events.updateRequested();
  }
}

/** All that TLS 1.2 has then is HelloRequest: a wish for renegotiation, which would let another answer than was verified. */
function afterHandshake12(type: number): TlsError {
  return type === HandshakeType.helloRequest
    ? new TlsError("no_renegotiation", "ALLIUM_E_TLS_RENEGOTIATION", "the server wants to renegotiate")
    : unexpectedMessage(`a handshake message of type ${type} after the handshake`);
}
