// Handshake messages over records, both ways, while keys come into force (RFC 8446 4, 5, D.4; RFC 5246 7.1).

import type { ByteStream } from "../base/byte-stream.ts";
import { concat, Writer } from "../base/bytes.ts";
import {
  type AlertName,
  alertError,
  encodeAlert,
  flood,
  parseAlert,
  truncated,
  unexpectedMessage,
} from "./alert.ts";
import { type HandshakeMessage, HandshakeReader } from "./handshake-reader.ts";
import { ContentType, LEGACY_VERSION, MAX_CONTENT, type TlsVersion } from "./protocol.ts";
import type { InnerRecord, RecordProtection } from "./record-protection.ts";
import type { RawRecord, RecordReader } from "./record-reader.ts";

/** Version of the record that carries the first ClientHello, for servers that know no better (RFC 8446 5.1). */
const FIRST_RECORD_VERSION = 0x0301;

/** change_cipher_spec records that are passed over: a server sends one, after its first message (RFC 8446 D.4). */
const MAX_CHANGE_CIPHER_SPEC = 2;

/** Alerts that are passed over. */
const MAX_ALERTS = 4;

function plainRecord(type: number, content: Uint8Array, version = LEGACY_VERSION): Uint8Array {
  return new Writer(5 + content.length).u8(type).u16(version).vector(2, content).finish();
}

export class HandshakeChannel {
  readonly #pipe: ByteStream;
  readonly #records: RecordReader;
  readonly #messages = new HandshakeReader();
  #inbound: RecordProtection | undefined;
  #outbound: RecordProtection | undefined;
  /** What both sides agreed on; before they did, that both versions may be, or that one alone was offered. */
  #version: TlsVersion | undefined;
  #changeCipherSpecs = 0;
  #alerts = 0;
  #greeted = false;

  constructor(pipe: ByteStream, records: RecordReader, version: TlsVersion | undefined) {
    this.#pipe = pipe;
    this.#records = records;
    this.#version = version;
  }

  /** The next handshake message. @throws TorError for an alert, a record that may not come now, or the pipe's end */
  async receive(): Promise<HandshakeMessage> {
    for (;;) {
      const message = this.#messages.take();
      if (message !== undefined) return message;
      const { type, content } = await this.#content();
      if (type === ContentType.handshake) this.#messages.push(content);
      else if (type !== ContentType.changeCipherSpec || this.#version === "TLS 1.2") {
        throw unexpectedMessage(`a record of type ${type} where a handshake message must come`);
      } else if (++this.#changeCipherSpecs > MAX_CHANGE_CIPHER_SPEC) {
        throw unexpectedMessage("too many change_cipher_spec records");
      }
    }
  }

  /** Waits for the server's change_cipher_spec, which in TLS 1.2 may come here and nowhere else (RFC 5246 7.1). */
  async receiveChangeCipherSpec(): Promise<void> {
    this.checkBoundary();
    const { type } = await this.#content();
    if (type !== ContentType.changeCipherSpec) {
      throw unexpectedMessage(`a record of type ${type} in place of change_cipher_spec`);
    }
  }

  /** From here on that version's rules hold. */
  settle(version: TlsVersion): void {
    this.#version = version;
    if (version === "TLS 1.2" && this.#changeCipherSpecs > 0) {
      throw unexpectedMessage("an early change_cipher_spec");
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

  /** Leaves the keys in force to whom they were given by. */
  release(): void {
    this.#inbound = undefined;
    this.#outbound = undefined;
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

  /** What the next record holds that is no passing alert. */
  async #content(): Promise<InnerRecord> {
    for (;;) {
      const inner = await this.#open(await this.#record());
      // A message that spans records may have no other record between its parts (RFC 8446 5.1).
      if (inner.type !== ContentType.handshake && this.#messages.pending) {
        throw unexpectedMessage(`a record of type ${inner.type} within a handshake message`);
      }
      if (inner.type !== ContentType.alert) return inner;
      this.#alert(inner.content);
    }
  }

  async #open(record: RawRecord): Promise<InnerRecord> {
    const { type, fragment } = record;
    if (type === ContentType.changeCipherSpec) {
      if (fragment.length !== 1 || fragment[0] !== 1) {
        throw unexpectedMessage("a change_cipher_spec of another value than 1");
      }
    } else if (this.#inbound !== undefined) {
      if (!this.#inbound.carries(type)) {
        throw unexpectedMessage(`a record of type ${type} in the clear after ServerHello`);
      }
      return this.#inbound.open(record);
    } else if (type === ContentType.applicationData) {
      throw unexpectedMessage("application data before there are keys");
    }
    return { type, content: fragment };
  }

  #alert(content: Uint8Array): void {
    const { name, warning } = parseAlert(content);
    // user_canceled says only that the user gave up; what follows it is close_notify (RFC 8446 6.1). Other warnings are
    // of servers before TLS 1.3: some send one for a name that they do not know, and go on.
    const passes =
      name === "user_canceled" || (warning && name !== "close_notify" && this.#version !== "TLS 1.3");
    if (!passes) throw alertError(name);
    if (++this.#alerts > MAX_ALERTS) throw flood("too many alerts");
  }

  async #seal(type: number, content: Uint8Array): Promise<Uint8Array> {
    if (this.#outbound !== undefined) return concat(...(await this.#outbound.seal(type, content)));
    const version = this.#greeted ? LEGACY_VERSION : FIRST_RECORD_VERSION;
    this.#greeted = true;
    return plainRecord(type, content, version);
  }
}
