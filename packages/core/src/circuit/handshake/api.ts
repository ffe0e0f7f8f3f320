// What every circuit handshake gives: a client part to send, and keys once the relay has answered (tor-spec 5.1).

/** A handshake under way. */
export interface ClientHandshake {
  /** What CREATE_FAST, or HDATA of CREATE2 and EXTEND2, carries. */
  readonly clientPart: Uint8Array;
  /**
   * `length` bytes of key material from the relay's answer.
   * @throws TorError `protocol-violation` when the answer does not prove what it must
   */
  finish(relayPart: Uint8Array, length: number): Promise<Uint8Array>;
}
