// The byte pipe used between core's rooms: pull to read, await to write. Cheaper than Web Streams, which stand at the rim.

/** A two-way pipe of bytes inside core. One reader and one writer at a time. */
export interface ByteStream {
  /**
   * The next bytes, as many as are at hand, or undefined after a clean end.
   * Bytes that arrived before a failure are delivered before it is thrown.
   */
  read(): Promise<Uint8Array | undefined>;
  /** The same in the pieces that are there, where putting them together would cost a copy. */
  readPieces?(): Promise<readonly Uint8Array[] | undefined>;
  /** Takes the bytes; settles when more may be written. The caller must not change `data` afterwards, unless `copies`. */
  write(data: Uint8Array): Promise<void>;
  /** Whether nothing refers to what was written once the write has settled. */
  readonly copies?: boolean;
  /** Ends both directions. With a reason that is an error, pending reads and writes reject with it. Idempotent. */
  close(reason?: unknown): void;
}
