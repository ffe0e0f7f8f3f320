// The messages of one handshake, in and out, by way of its transcript (RFC 8446 4.4.1, D.4; RFC 5246 7.4).

import { equalBytes, Writer } from "../base/bytes.ts";
import { TlsError, unexpectedMessage } from "./alert.ts";
import type { HandshakeChannel } from "./handshake-channel.ts";
import type { HandshakeMessage } from "./handshake-reader.ts";
import { Transcript } from "./transcript.ts";

export class Dialogue {
  readonly channel: HandshakeChannel;
  readonly transcript = new Transcript();
  /** Whether a change_cipher_spec is still to go before our second flight, whichever that is (RFC 8446 D.4). */
  #changeCipherSpec: boolean;

  constructor(channel: HandshakeChannel, compatibilityMode: boolean) {
    this.channel = channel;
    this.#changeCipherSpec = compatibilityMode;
  }

  /** Sends a flight that no change_cipher_spec goes before: the first one, or one in TLS 1.2. */
  async send(...messages: readonly Uint8Array[]): Promise<void> {
    for (const message of messages) this.transcript.add(message);
    await this.channel.send(messages);
  }

  /** Sends what the change_cipher_spec goes before where it has not gone: a later flight, or Finished in TLS 1.2. */
  async sendNext(...messages: readonly Uint8Array[]): Promise<void> {
    for (const message of messages) this.transcript.add(message);
    const changeCipherSpec = this.#changeCipherSpec;
    this.#changeCipherSpec = false;
    await this.channel.send(messages, changeCipherSpec);
  }

  async receive(): Promise<HandshakeMessage> {
    const message = await this.channel.receive();
    this.transcript.add(message.raw);
    return message;
  }

  async expect(type: number): Promise<HandshakeMessage> {
    const message = await this.receive();
    expectType(message, type);
    return message;
  }
}

export function expectType(message: HandshakeMessage, type: number): void {
  if (message.type !== type) {
    throw unexpectedMessage(`a handshake message of type ${message.type} where ${type} must come`);
  }
}

/** Compares what a Finished says with what it must. */
export function checkFinished({ body }: HandshakeMessage, expected: Uint8Array): void {
  if (!equalBytes(body, expected)) {
    throw new TlsError("decrypt_error", "ALLIUM_E_TLS_FINISHED", "the server's Finished is wrong");
  }
}

export function handshakeMessage(type: number, body: Uint8Array): Uint8Array {
  return new Writer().u8(type).vector(3, body).finish();
}
