// What a hop's relay crypto does, whichever algorithm it is (tor-spec 5.5, 6.1). All of it is synchronous and in place.

/** One hop's layer of the onion, with the state of both directions. */
export interface RelayCrypto {
  /** Authenticates a cell as ours to this hop and adds this hop's layer. Returns the tag that a SENDME for it must carry. */
  originate(body: Uint8Array): Uint8Array;
  /** Adds this hop's layer to a cell that is meant for a hop further on. */
  encrypt(body: Uint8Array): void;
  /** Takes this hop's layer off a cell; returns its SENDME tag when it comes from this hop, undefined otherwise. */
  decrypt(body: Uint8Array): Uint8Array | undefined;
  /** Overwrites the keys. */
  destroy(): void;
}
