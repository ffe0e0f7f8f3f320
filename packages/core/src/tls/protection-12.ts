// Records of TLS 1.2 with an AEAD (RFC 5246 6.2.3.3; AES-GCM: RFC 5288 3; ChaCha20-Poly1305: RFC 7905 2).
// Not here: MAC-then-encrypt, compression; neither is ever agreed on.

import { concat } from "../base/bytes.ts";
import { TorError } from "../base/errors.ts";
import type { Ciphers } from "../base/ports.ts";
import { type AeadKey, importAeadKey } from "../crypto/aead.ts";
import { IV_LENGTH } from "./key-schedule.ts";
import type { DirectionKeys } from "./key-schedule-12.ts";
import { type CipherSuite, ContentType } from "./protocol.ts";
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
  const data = new Uint8Array(13);
  new DataView(data.buffer).setUint32(4, sequence);
  data.set(recordHeader(type, length), 8);
  return data;
}

export class Protection12 extends RecordProtection {
  /** Bytes of the nonce that each record carries. */
  readonly #explicit: number;

  private constructor(key: AeadKey, iv: Uint8Array) {
    // Where half of the nonce is in the record, adding to zeros makes the sequence number of it.
    super(key, concat(iv, new Uint8Array(IV_LENGTH - iv.length)));
    this.#explicit = iv.length < IV_LENGTH ? EXPLICIT : 0;
  }

  /** Takes over the keys, and overwrites them. */
  static async create(
    suite: CipherSuite,
    { key, iv }: DirectionKeys,
    ciphers: Ciphers | undefined,
  ): Promise<Protection12> {
    const imported = await importAeadKey(suite.aead, key, ciphers);
    const protection = new Protection12(imported, iv);
    key.fill(0);
    iv.fill(0);
    return protection;
  }

  carries(type: number): boolean {
    return type >= ContentType.alert && type <= ContentType.applicationData;
  }

  seal(type: number, content: Uint8Array): SealedRecord | Promise<SealedRecord> {
    const aad = additional(this.sequence, type, content.length);
    const nonce = this.nextNonce();
    const header = recordHeader(type, this.#explicit + content.length + TAG);
    return this.encrypt(nonce, aad, content, concat(header, nonce.subarray(IV_LENGTH - this.#explicit)));
  }

  open({ type, fragment }: RawRecord): InnerRecord | Promise<InnerRecord> {
    const explicit = this.#explicit;
    const length = fragment.length - explicit - TAG;
    if (length < 0) throw badRecord();
    const aad = additional(this.sequence, type, length);
    const nonce = this.nextNonce();
    nonce.set(fragment.subarray(0, explicit), IV_LENGTH - explicit);
    return this.decrypt(nonce, aad, fragment.subarray(explicit), (content) => innerRecord(type, content));
  }

  /** There is no KeyUpdate, so a connection that needs another key has come to its end: after 256 GiB. */
  async next(): Promise<RecordProtection> {
    throw new TorError("limit", "ALLIUM_E_TLS_SEQUENCE", "too many records under one key of TLS 1.2");
  }
}
