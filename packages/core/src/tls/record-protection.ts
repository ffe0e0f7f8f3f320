// Encryption of records in one direction (RFC 8446 5.2-5.5): nonces, inner content type, padding, KeyUpdate's next key.

import { TorError } from "../base/errors.ts";
import type { Ciphers } from "../base/ports.ts";
import { type AeadKey, importAeadKey } from "../crypto/aead.ts";
import { decodeError, TlsError } from "./alert.ts";
import { IV_LENGTH, nextTrafficSecret, trafficKeys } from "./key-schedule.ts";
import { type CipherSuite, ContentType, LEGACY_VERSION, MAX_CONTENT } from "./protocol.ts";
import type { RawRecord } from "./record-reader.ts";

/** Length of the tag of all three suites. */
const TAG = 16;

/**
 * Records under one key after which the sender updates it. RFC 8446 5.5 gives AES-GCM 2^24.5 full records.
 */
export const REKEY_AFTER = 2 ** 24;

/** Records under one key after which it is used no more; the RFC has 2^64, and no honest peer comes near this. */
const MAX_SEQUENCE = 2 ** 32;

/** Bytes that most records of an idle connection stay below: those of one cell do. */
const SHORT = 1024;

/** The content of a decrypted record. */
export interface InnerRecord {
  readonly type: number;
  readonly content: Uint8Array;
}

/** A record in its two parts, which are not put together before a whole batch is. */
export type SealedRecord = readonly [header: Uint8Array, ciphertext: Uint8Array];

interface Parts {
  readonly suite: CipherSuite;
  readonly ciphers: Ciphers | undefined;
  readonly secret: Uint8Array;
  readonly key: AeadKey;
  readonly iv: Uint8Array;
}

/** The key of one direction. Results come at once where its cipher is synchronous. Sequence numbers are taken when `seal` or `open` is called, not when they settle. */
export class RecordProtection {
  readonly #parts: Parts;
  #inner = new Uint8Array(0);
  #sequence = 0;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes over `secret`, a traffic secret, and overwrites it in the end. */
  static async create(
    suite: CipherSuite,
    secret: Uint8Array,
    ciphers: Ciphers | undefined,
  ): Promise<RecordProtection> {
    const { key, iv } = trafficKeys(suite, secret);
    const imported = await importAeadKey(suite.aead, key, ciphers);
    key.fill(0);
    return new RecordProtection({ suite, ciphers, secret, key: imported, iv });
  }

  /** Records sealed or opened so far. */
  get sequence(): number {
    return this.#sequence;
  }

  /** A record that hides `content`, at most 2^14 bytes, and its type: header and ciphertext, to be sent one after the other. */
  seal(type: number, content: Uint8Array): SealedRecord | Promise<SealedRecord> {
    const length = content.length + 1 + TAG;
    const header = Uint8Array.of(
      ContentType.applicationData,
      LEGACY_VERSION >> 8,
      LEGACY_VERSION & 255,
      length >> 8,
      length & 255,
    );
    const inner = this.#innerOf(content.length + 1);
    inner.set(content);
    inner[content.length] = type;
    const sealed = this.#parts.key.seal(this.#nextNonce(), header, inner);
    return sealed instanceof Promise
      ? sealed.then((ciphertext) => [header, ciphertext] as const)
      : [header, sealed];
  }

  /** The content of a record. @throws TlsError when it was not sealed by the holder of this key in this place */
  open(record: RawRecord): InnerRecord | Promise<InnerRecord> {
    if (record.fragment.length < TAG + 1) throw badRecord();
    const nonce = this.#nextNonce();
    let inner: Uint8Array | Promise<Uint8Array>;
    try {
      inner = this.#parts.key.open(nonce, record.header, record.fragment);
    } catch (cause) {
      throw badRecord(cause);
    }
    if (!(inner instanceof Promise)) return splitInner(inner);
    return inner.then(splitInner, (cause) => {
      throw badRecord(cause);
    });
  }

  /** The protection after a KeyUpdate (RFC 8446 7.2); this one is destroyed. */
  async next(): Promise<RecordProtection> {
    const { suite, ciphers, secret } = this.#parts;
    const next = nextTrafficSecret(suite.hash, secret);
    this.destroy();
    return RecordProtection.create(suite, next, ciphers);
  }

  destroy(): void {
    this.#parts.secret.fill(0);
    this.#parts.iv.fill(0);
    this.#parts.key.destroy();
  }

  /** Where content and type are put together: one place for all records, since ciphers have copied it when they return. */
  #innerOf(length: number): Uint8Array {
    if (this.#inner.length < length)
      this.#inner = new Uint8Array(length <= SHORT ? SHORT : Math.max(length, MAX_CONTENT + 1));
    return this.#inner.subarray(0, length);
  }

  /** RFC 8446 5.3: the IV with the sequence number in its last eight bytes. */
  #nextNonce(): Uint8Array {
    if (this.#sequence >= MAX_SEQUENCE) {
      throw new TorError("limit", "ALLIUM_E_TLS_SEQUENCE", "too many records under one key");
    }
    const nonce = this.#parts.iv.slice();
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
