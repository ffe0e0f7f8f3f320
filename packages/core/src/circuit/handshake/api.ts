// What every circuit handshake gives: a client part to send, and keys once the relay has answered (tor-spec 5.1).

/** What a handshake that succeeded gives. */
export interface HandshakeResult {
  /** As many bytes as were asked for; whoever takes them overwrites them. */
  readonly keyMaterial: Uint8Array;
  /** What the relay said within the handshake, where it can say something (ntor-v3). */
  readonly message: Uint8Array | undefined;
}

/** A handshake under way. */
export interface ClientHandshake {
  /** What CREATE_FAST, or HDATA of CREATE2 and EXTEND2, carries. */
  readonly clientPart: Uint8Array;
  /**
   * `length` bytes of key material, and the relay's message, from the relay's answer.
   * @throws TorError `protocol-violation` when the answer does not prove what it must
   */
  finish(relayPart: Uint8Array, length: number): Promise<HandshakeResult>;
}
