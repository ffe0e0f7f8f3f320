// Handshake messages over records, both ways, while keys come into force (RFC 8446 4, 5, D.4).

import type { ByteStream } from "../base/byte-stream.ts";
import { concat, Writer } from "../base/bytes.ts";
import {
  type AlertName,
  alertError,
  encodeAlert,
  parseAlert,
  truncated,
  unexpectedMessage,
} from "./alert.ts";
import { type HandshakeMessage, HandshakeReader } from "./handshake-reader.ts";
import { ContentType, LEGACY_VERSION, MAX_CONTENT } from "./protocol.ts";
import type { InnerRecord, RecordProtection } from "./record-protection.ts";
import type { RawRecord, RecordReader } from "./record-reader.ts";

/** Version of the record that carries the first ClientHello, for servers that know no better (RFC 8446 5.1). */
const FIRST_RECORD_VERSION = 0x0301;

/** change_cipher_spec records that are passed over: a server sends one, after its first message (RFC 8446 D.4). */
const MAX_CHANGE_CIPHER_SPEC = 2;

function plainRecord(type: number, content: Uint8Array, version = LEGACY_VERSION): Uint8Array {
  return new Writer(5 + content.length).u8(type).u16(version).vector(2, content).finish();
}

export class HandshakeChannel {
  readonly #pipe: ByteStream;
  readonly #records: RecordReader;
  readonly #messages = new HandshakeReader();
  #inbound: RecordProtection | undefined;
  #outbound: RecordProtection | undefined;
  #changeCipherSpecs = 0;
  #greeted = false;

  constructor(pipe: ByteStream, records: RecordReader) {
    this.#pipe = pipe;
    this.#records = records;
  }

  /** The next handshake message. @throws TorError for an alert, a record that may not come now, or the pipe's end */
  async receive(): Promise<HandshakeMessage> {
    for (;;) {
      const message = this.#messages.take();
      if (message !== undefined) return message;
      const record = await this.#record();
      if (record.type === ContentType.changeCipherSpec) {
        this.#passChangeCipherSpec(record);
        continue;
      }
      const { type, content } = await this.#open(record);
      if (type === ContentType.handshake) this.#messages.push(content);
      else if (type === ContentType.alert) this.#alert(content);
      else throw unexpectedMessage("application data in the handshake");
    }
  }

  /** Sends messages, in one record where they fit, after a change_cipher_spec where asked. */
  async send(messages: readonly Uint8Array[], changeCipherSpec = false): Promise<void> {
    const out: Uint8Array[] = [];
    if (changeCipherSpec) out.push(plainRecord(ContentType.changeCipherSpec, Uint8Array.of(1)));
    const flight = concat(...messages);
    for (let at = 0; at < flight.length; at += MAX_CONTENT) {
      const part = flight.subarray(at, at + MAX_CONTENT);
      out.push(await this.#seal(ContentType.handshake, part));
    }
    await this.#pipe.write(concat(...out));
  }

  async sendAlert(name: AlertName): Promise<void> {
    await this.#pipe.write(await this.#seal(ContentType.alert, encodeAlert(name)));
  }

  /** From the next record on, the peer's are sealed with this key. No message may span the change (RFC 8446 5.1). */
  protectInbound(protection: RecordProtection): void {
    this.checkBoundary();
    this.#inbound?.destroy();
    this.#inbound = protection;
  }

  protectOutbound(protection: RecordProtection): void {
    this.#outbound?.destroy();
    this.#outbound = protection;
  }

  /** Fails when bytes of a further message stand behind the last one. */
  checkBoundary(): void {
    if (this.#messages.pending) throw unexpectedMessage("a handshake message across a change of keys");
  }

  destroy(): void {
    this.#inbound?.destroy();
    this.#outbound?.destroy();
  }

  async #record(): Promise<RawRecord> {
    for (;;) {
      const record = this.#records.take();
      if (record !== undefined) return record;
      if (!(await this.#records.fill())) throw truncated("the pipe ended in the TLS handshake");
    }
  }

  async #open(record: RawRecord): Promise<InnerRecord> {
    const sealed = record.type === ContentType.applicationData;
    if (this.#inbound === undefined) {
      if (sealed) throw unexpectedMessage("an encrypted record before ServerHello");
      return this.#unmixed({ type: record.type, content: record.fragment });
    }
    if (!sealed) throw unexpectedMessage(`a record of type ${record.type} in the clear after ServerHello`);
    return this.#unmixed(await this.#inbound.open(record));
  }

  /** A message that spans records may have no other record between its parts (RFC 8446 5.1). */
  #unmixed(inner: InnerRecord): InnerRecord {
    if (inner.type !== ContentType.handshake && this.#messages.pending) {
      throw unexpectedMessage(`a record of type ${inner.type} within a handshake message`);
    }
    return inner;
  }

  #passChangeCipherSpec(record: RawRecord): void {
    this.#unmixed({ type: record.type, content: record.fragment });
    if (record.fragment.length !== 1 || record.fragment[0] !== 1) {
      throw unexpectedMessage("a change_cipher_spec of another value than 1");
    }
    if (++this.#changeCipherSpecs > MAX_CHANGE_CIPHER_SPEC) {
      throw unexpectedMessage("too many change_cipher_spec records");
    }
  }

  #alert(content: Uint8Array): void {
    const name = parseAlert(content);
    // Says only that the user gave up; what follows it is close_notify (RFC 8446 6.1).
    if (name !== "user_canceled") throw alertError(name);
  }

  async #seal(type: number, content: Uint8Array): Promise<Uint8Array> {
    if (this.#outbound !== undefined) return concat(...(await this.#outbound.seal(type, content)));
    const version = this.#greeted ? LEGACY_VERSION : FIRST_RECORD_VERSION;
    this.#greeted = true;
    return plainRecord(type, content, version);
  }
}
