// Where a keystream's bytes come from.

/** Gives keystream in order. */
export interface KeystreamSource {
  /** Writes the next `length` bytes to the start of `target`. */
  fill(target: Uint8Array, length: number): void;
  /** Lets go of what was made ahead, until more is wanted. */
  rest(): void;
  /** Overwrites key and keystream. */
  destroy(): void;
}
