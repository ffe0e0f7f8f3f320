// Encryption of records in one direction: what TLS 1.2 and 1.3 share of it, keys, nonces and limits (RFC 8446 5.2-5.5).

import { TorError } from "../base/errors.ts";
import type { AeadKey } from "../crypto/aead.ts";
import { decodeError, TlsError } from "./alert.ts";
import { IV_LENGTH } from "./key-schedule.ts";
import { ContentType, LEGACY_VERSION, MAX_CONTENT } from "./protocol.ts";
import type { RawRecord } from "./record-reader.ts";

/** Length of the tag of all suites. */
export const TAG = 16;

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

/** A record in two parts, which are not put together before a whole batch is: what is in the clear, and the ciphertext. */
export type SealedRecord = readonly [clear: Uint8Array, ciphertext: Uint8Array];

/**
 * The key of one direction. Results come at once where its cipher is synchronous. Sequence numbers are taken when `seal`
 * or `open` is called, not when they settle.
 */
export abstract class RecordProtection {
  readonly #key: AeadKey;
  readonly #iv: Uint8Array;
  #sequence = 0;

  /** `iv` has 12 bytes, the last eight of which the sequence number is added to. */
  protected constructor(key: AeadKey, iv: Uint8Array) {
    this.#key = key;
    this.#iv = iv;
  }

  /** Records sealed or opened so far. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether a sealed record looks as one of this type from outside. */
  abstract carries(type: number): boolean;

  /** A record that hides `content`, at most 2^14 bytes: its parts, to be sent one after the other. */
  abstract seal(type: number, content: Uint8Array): SealedRecord | Promise<SealedRecord>;

  /** The content of a record. @throws TlsError when it was not sealed by the holder of this key in this place */
  abstract open(record: RawRecord): InnerRecord | Promise<InnerRecord>;

  /** The protection after a KeyUpdate (RFC 8446 7.2); this one is destroyed. */
  abstract next(): Promise<RecordProtection>;

  destroy(): void {
    this.#iv.fill(0);
    this.#key.destroy();
  }

  /** RFC 8446 5.3: the IV with the sequence number in its last eight bytes. */
  protected nextNonce(): Uint8Array {
    if (this.#sequence >= MAX_SEQUENCE) {
      throw new TorError("limit", "ALLIUM_E_TLS_SEQUENCE", "too many records under one key");
    }
    const nonce = this.#iv.slice();
    const view = new DataView(nonce.buffer);
    view.setUint32(IV_LENGTH - 4, (view.getUint32(IV_LENGTH - 4) ^ this.#sequence) >>> 0);
    this.#sequence++;
    return nonce;
  }

  protected encrypt(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, clear: Uint8Array) {
    const sealed = this.#key.seal(nonce, aad, plaintext);
    return sealed instanceof Promise
      ? sealed.then((ciphertext) => [clear, ciphertext] as const)
      : ([clear, sealed] as const);
  }

  protected decrypt(
    nonce: Uint8Array,
    aad: Uint8Array,
    ciphertext: Uint8Array,
    read: (plaintext: Uint8Array) => InnerRecord,
  ): InnerRecord | Promise<InnerRecord> {
    let plaintext: Uint8Array | Promise<Uint8Array>;
    try {
      plaintext = this.#key.open(nonce, aad, ciphertext);
    } catch (cause) {
      throw badRecord(cause);
    }
    if (!(plaintext instanceof Promise)) return read(plaintext);
    return plaintext.then(read, (cause) => {
      throw badRecord(cause);
    });
  }
}

/** The header of a record whose fragment has `length` bytes. */
export function recordHeader(type: number, length: number): Uint8Array {
  return Uint8Array.of(type, LEGACY_VERSION >> 8, LEGACY_VERSION & 255, length >> 8, length & 255);
}

export function badRecord(cause?: unknown): TlsError {
  return new TlsError("bad_record_mac", "ALLIUM_E_TLS_BAD_RECORD", "a record that does not decrypt", cause);
}

/** What was inside a record, if it may be (RFC 8446 5.1, 5.4; RFC 5246 6.2.1). */
export function innerRecord(type: number, content: Uint8Array): InnerRecord {
  if (content.length > MAX_CONTENT) {
    throw new TlsError(
      "record_overflow",
      "ALLIUM_E_TLS_RECORD",
      `a record with ${content.length} bytes inside`,
    );
  }
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
