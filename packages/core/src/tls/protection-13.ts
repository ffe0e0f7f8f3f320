// Records of TLS 1.3 (RFC 8446 5.2, 5.4): the inner content type, padding, and KeyUpdate's next key.

import type { Ciphers } from "../base/ports.ts";
import { type AeadKey, importAeadKey } from "../crypto/aead.ts";
import { TlsError } from "./alert.ts";
import { nextTrafficSecret, trafficKeys } from "./key-schedule.ts";
import { type CipherSuite, ContentType, MAX_CONTENT } from "./protocol.ts";
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

/** Bytes that most records of an idle connection stay below: those of one cell do. */
const SHORT = 1024;

interface Parts {
  readonly suite: CipherSuite;
  readonly ciphers: Ciphers | undefined;
  readonly secret: Uint8Array;
}

export class Protection13 extends RecordProtection {
  readonly #parts: Parts;
  #inner = new Uint8Array(0);

  private constructor(parts: Parts, key: AeadKey, iv: Uint8Array) {
    super(key, iv);
    this.#parts = parts;
  }

  /** Takes over `secret`, a traffic secret, and overwrites it in the end. */
  static async create(
    suite: CipherSuite,
    secret: Uint8Array,
    ciphers: Ciphers | undefined,
  ): Promise<Protection13> {
    const { key, iv } = trafficKeys(suite, secret);
    const imported = await importAeadKey(suite.aead, key, ciphers);
    key.fill(0);
    return new Protection13({ suite, ciphers, secret }, imported, iv);
  }

  carries(type: number): boolean {
    return type === ContentType.applicationData;
  }

  /** The type is hidden too. */
  seal(type: number, content: Uint8Array): SealedRecord | Promise<SealedRecord> {
    const header = recordHeader(ContentType.applicationData, content.length + 1 + TAG);
    const inner = this.#innerOf(content.length + 1);
    inner.set(content);
    inner[content.length] = type;
    return this.encrypt(this.nextNonce(), header, inner, header);
  }

  open({ header, fragment }: RawRecord): InnerRecord | Promise<InnerRecord> {
    if (fragment.length < TAG + 1) throw badRecord();
    return this.decrypt(this.nextNonce(), header, fragment, splitInner);
  }

  async next(): Promise<Protection13> {
    const { suite, ciphers, secret } = this.#parts;
    const next = nextTrafficSecret(suite.hash, secret);
    this.destroy();
    return Protection13.create(suite, next, ciphers);
  }

  override destroy(): void {
    this.#parts.secret.fill(0);
    super.destroy();
  }

  /** Where content and type are put together: one place for all records, since ciphers have copied it when they return. */
  #innerOf(length: number): Uint8Array {
    if (this.#inner.length < length)
      this.#inner = new Uint8Array(length <= SHORT ? SHORT : Math.max(length, MAX_CONTENT + 1));
    return this.#inner.subarray(0, length);
  }
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
  return innerRecord(inner[end] as number, inner.subarray(0, end));
}
