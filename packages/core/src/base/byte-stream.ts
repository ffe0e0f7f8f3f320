// The byte pipe used between core's rooms: pull to read, await to write. Cheaper than Web Streams, which stand at the rim.

/** A two-way pipe of bytes inside core. One reader and one writer at a time. */
export interface ByteStream {
  /**
   * The next bytes, as many as are at hand, or undefined after a clean end.
   * Bytes that arrived before a failure are delivered before it is thrown.
   */
  read(): Promise<Uint8Array | undefined>;
  /** Takes the bytes; settles when more may be written. The caller must not change `data` afterwards. */
  write(data: Uint8Array): Promise<void>;
  /** Ends both directions. With a reason that is an error, pending reads and writes reject with it. Idempotent. */
  close(reason?: unknown): void;
}

/** A pipe whose bytes come and go in records, as TLS has them: what passes is not copied once more than it must be. */
export interface RecordStream extends ByteStream {
  /** `read` in the pieces that are at hand, which it would put together. */
  readPieces(): Promise<readonly Uint8Array[] | undefined>;
  /** As of any pipe; but the caller may change `data` once it has settled. */
  write(data: Uint8Array): Promise<void>;
}
