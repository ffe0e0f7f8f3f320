// Cuts a stream of bytes into TLS records.

export interface SealedRecord {
  readonly header: Uint8Array;
  readonly fragment: Uint8Array;
}

const RECORD_HEADER = 5;

export class RecordCutter {
  #rest: Uint8Array = new Uint8Array(0);

  /** The records that are whole with these bytes. */
  take(chunk: Uint8Array): SealedRecord[] {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    const records: SealedRecord[] = [];
    let at = 0;
    while (at + RECORD_HEADER <= bytes.length) {
      const end = at + RECORD_HEADER + (((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number));
      if (end > bytes.length) break;
      records.push({
        header: bytes.subarray(at, at + RECORD_HEADER),
        fragment: bytes.subarray(at + RECORD_HEADER, end),
      });
      at = end;
    }
    this.#rest = bytes.slice(at);
    return records;
  }
}
