// Records of TLS 1.2 with an AEAD (RFC 5246 6.2.3.3; AES-GCM: RFC 5288 3; ChaCha20-Poly1305: RFC 7905 2).
// Not here: MAC-then-encrypt, compression; neither is ever agreed on.

import { concat, Writer } from "../base/bytes.ts";
import { TorError } from "../base/errors.ts";
import type { Ciphers } from "../base/ports.ts";
import { type AeadKey, importAeadKey } from "../crypto/aead.ts";
import type { DirectionKeys } from "./key-schedule-12.ts";
import { type CipherSuite, ContentType, LEGACY_VERSION } from "./protocol.ts";
import {
  badRecord,
  type InnerRecord,
  innerRecord,
  RecordProtection,
  recordHeader,
  type SealedRecord,
  TAG,
} from "./record-protection.ts";
import type { RawRecord } from "./record-reader.ts";

/** The part of AES-GCM's nonce that stands before the ciphertext; ours is the sequence number. */
const EXPLICIT = 8;

/** What is authenticated beside the content: the sequence number, and a header with the length of the content. */
function additional(sequence: number, type: number, length: number): Uint8Array {
  return new Writer(13).u32(0).u32(sequence).u8(type).u16(LEGACY_VERSION).u16(length).finish();
}

export class Protection12 extends RecordProtection {
  /** The implicit part of the nonce, where the rest of it is in the record. */
  readonly #salt: Uint8Array | undefined;
  readonly #overhead: number;

  private constructor(key: AeadKey, iv: Uint8Array) {
    super(key, concat(iv, new Uint8Array(12 - iv.length)));
    this.#salt = iv.length < 12 ? iv : undefined;
    this.#overhead = TAG + (this.#salt === undefined ? 0 : EXPLICIT);
  }

  /** Takes over the keys, and overwrites them. */
  static async create(
    suite: CipherSuite,
    { key, iv }: DirectionKeys,
    ciphers: Ciphers | undefined,
  ): Promise<Protection12> {
    const imported = await importAeadKey(suite.aead, key, ciphers);
    key.fill(0);
    return new Protection12(imported, iv);
  }

  carries(type: number): boolean {
    return type >= ContentType.alert && type <= ContentType.applicationData;
  }

  seal(type: number, content: Uint8Array): SealedRecord | Promise<SealedRecord> {
    const aad = additional(this.sequence, type, content.length);
    const nonce = this.nextNonce();
    const header = recordHeader(type, content.length + this.#overhead);
    const clear = this.#salt === undefined ? header : concat(header, nonce.subarray(-EXPLICIT));
    return this.encrypt(nonce, aad, content, clear);
  }

  open({ type, fragment }: RawRecord): InnerRecord | Promise<InnerRecord> {
    const length = fragment.length - this.#overhead;
    if (length < 0) throw badRecord();
    const aad = additional(this.sequence, type, length);
    let nonce = this.nextNonce();
    let ciphertext = fragment;
    if (this.#salt !== undefined) {
      nonce = concat(this.#salt, fragment.subarray(0, EXPLICIT));
      ciphertext = fragment.subarray(EXPLICIT);
    }
    return this.decrypt(nonce, aad, ciphertext, (content) => innerRecord(type, content));
  }

  /** There is no KeyUpdate, so a connection that needs another key has come to its end: after 256 GiB. */
  async next(): Promise<RecordProtection> {
    throw new TorError("limit", "ALLIUM_E_TLS_SEQUENCE", "too many records under one key of TLS 1.2");
  }

  override destroy(): void {
    this.#salt?.fill(0);
    super.destroy();
  }
}
