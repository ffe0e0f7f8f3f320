// The running transcript of the handshake (RFC 8446 4.4.1).
// Kept as bytes and hashed when asked: a handshake is a few kilobytes and is hashed five times.

import { concat, Writer } from "../base/bytes.ts";
import type { KdfHash } from "../crypto/kdf.ts";
import { hashOf } from "./key-schedule.ts";
import { HandshakeType } from "./protocol.ts";

export class Transcript {
  #messages: Uint8Array[] = [];

  /** Appends a whole handshake message with its header. */
  add(message: Uint8Array): void {
    this.#messages.push(message);
  }

  /** After a HelloRetryRequest the first ClientHello is replaced by its hash (RFC 8446 4.4.1). */
  replaceByHash(hash: KdfHash): void {
    const digest = this.hash(hash);
    this.#messages = [new Writer().u8(HandshakeType.messageHash).vector(3, digest).finish()];
  }

  /** The hash up to now, or as it will be with `next` behind. */
  hash(hash: KdfHash, ...next: readonly Uint8Array[]): Uint8Array {
    return hashOf(hash, concat(...this.#messages, ...next));
  }
}
