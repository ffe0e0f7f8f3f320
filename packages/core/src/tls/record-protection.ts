// Encryption of records in one direction (RFC 8446 5.2-5.5): nonces, inner content type, padding, KeyUpdate's next key.

import { TorError } from "../base/errors.ts";
import { type AeadKey, importAeadKey } from "../crypto/aead.ts";
import { decodeError, TlsError } from "./alert.ts";
import { IV_LENGTH, nextTrafficSecret, trafficKeys } from "./key-schedule.ts";
import { type CipherSuite, ContentType, LEGACY_VERSION, MAX_CONTENT, RECORD_HEADER } from "./protocol.ts";
import type { RawRecord } from "./record-reader.ts";

/** Length of the tag of all three suites. */
const TAG = 16;

/**
 * Records under one key after which the sender updates it. RFC 8446 5.5 gives AES-GCM 2^24.5 full records.
 */
export const REKEY_AFTER = 2 ** 24;

/** Records under one key after which it is used no more; the RFC has 2^64, and no honest peer comes near this. */
const MAX_SEQUENCE = 2 ** 32;

/** The content of a decrypted record. */
export interface InnerRecord {
  readonly type: number;
  readonly content: Uint8Array;
}

/** The key of one direction. Sequence numbers are taken when `seal` or `open` is called, not when they settle. */
export class RecordProtection {
  readonly #suite: CipherSuite;
  readonly #secret: Uint8Array;
  readonly #key: AeadKey;
  readonly #iv: Uint8Array;
  #sequence = 0;

  private constructor(suite: CipherSuite, secret: Uint8Array, key: AeadKey, iv: Uint8Array) {
    this.#suite = suite;
    this.#secret = secret;
    this.#key = key;
    this.#iv = iv;
  }

  /** Takes over `secret`, a traffic secret, and overwrites it in the end. */
  static async create(suite: CipherSuite, secret: Uint8Array): Promise<RecordProtection> {
    const { key, iv } = trafficKeys(suite, secret);
    const imported = await importAeadKey(suite.aead, key);
    key.fill(0);
    return new RecordProtection(suite, secret, imported, iv);
  }

  /** Records sealed or opened so far. */
  get sequence(): number {
    return this.#sequence;
  }

  /** A whole record, header included, that hides `content`, at most 2^14 bytes, and its type. */
  async seal(type: number, content: Uint8Array): Promise<Uint8Array> {
    const length = content.length + 1 + TAG;
    const record = new Uint8Array(RECORD_HEADER + length);
    record.set([
      ContentType.applicationData,
      LEGACY_VERSION >> 8,
      LEGACY_VERSION & 255,
      length >> 8,
      length & 255,
    ]);
    const inner = record.slice(RECORD_HEADER, -TAG);
    inner.set(content);
    inner[content.length] = type;
    record.set(
      await this.#key.seal(this.#nextNonce(), record.subarray(0, RECORD_HEADER), inner),
      RECORD_HEADER,
    );
    return record;
  }

  /** The content of a record. @throws TlsError when it was not sealed by the holder of this key in this place */
  async open(record: RawRecord): Promise<InnerRecord> {
    if (record.fragment.length < TAG + 1) throw badRecord();
    const nonce = this.#nextNonce();
    let inner: Uint8Array;
    try {
      inner = await this.#key.open(nonce, record.header, record.fragment);
    } catch (cause) {
      throw badRecord(cause);
    }
    return splitInner(inner);
  }

  /** The protection after a KeyUpdate (RFC 8446 7.2); this one is destroyed. */
  async next(): Promise<RecordProtection> {
    const secret = nextTrafficSecret(this.#suite.hash, this.#secret);
    this.destroy();
    return RecordProtection.create(this.#suite, secret);
  }

  destroy(): void {
    this.#secret.fill(0);
    this.#iv.fill(0);
    this.#key.destroy();
  }

  /** RFC 8446 5.3: the IV with the sequence number in its last eight bytes. */
  #nextNonce(): Uint8Array {
    if (this.#sequence >= MAX_SEQUENCE) {
      throw new TorError("limit", "ALLIUM_E_TLS_SEQUENCE", "too many records under one key");
    }
    const nonce = this.#iv.slice();
    const view = new DataView(nonce.buffer);
    view.setUint32(IV_LENGTH - 4, (view.getUint32(IV_LENGTH - 4) ^ this.#sequence) >>> 0);
    this.#sequence++;
    return nonce;
  }
}

function badRecord(cause?: unknown): TlsError {
  return new TlsError("bad_record_mac", "ALLIUM_E_TLS_BAD_RECORD", "a record that does not decrypt", cause);
}

/** Strips the padding and takes off the inner content type (RFC 8446 5.4). */
function splitInner(inner: Uint8Array): InnerRecord {
  if (inner.length > MAX_CONTENT + 1) {
    throw new TlsError(
      "record_overflow",
      "ALLIUM_E_TLS_RECORD",
      `a record with ${inner.length} bytes inside`,
    );
  }
  let end = inner.length - 1;
  while (end >= 0 && inner[end] === 0) end--;
  if (end < 0) throw new TlsError("unexpected_message", "ALLIUM_E_TLS_RECORD", "a record of padding only");
  const type = inner[end] as number;
  const content = inner.subarray(0, end);
  if (type !== ContentType.applicationData && content.length === 0) {
    throw new TlsError(
      "unexpected_message",
      "ALLIUM_E_TLS_RECORD",
      "an empty record that is not application data",
    );
  }
  if (type === ContentType.alert || type === ContentType.handshake || type === ContentType.applicationData) {
    return { type, content };
  }
  throw decodeError(`an encrypted record of type ${type}`);
}
