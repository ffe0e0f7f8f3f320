// What a hop knows of a stream, open or half-closed, as far as a relay's messages are concerned (tor-spec 6.2 to 6.4).

/** Where a stream stands. One bit each, so that a rule can name several. */
export const Phase = {
  /** BEGIN or BEGIN_DIR is sent. */
  CONNECTING: 1,
  /** RESOLVE is sent. */
  RESOLVING: 2,
  OPEN: 4,
  /** We sent END in the phase of the same name: what was on its way may still come. */
  HALF_CONNECTING: 8,
  HALF_RESOLVING: 16,
  HALF_OPEN: 32,
} as const;

/** Takes a relay's messages that may come in its phase. Each may throw a TorError `protocol-violation`. */
export interface StreamEntry {
  readonly phase: number;
  /** The data of one DATA cell are bytes[from, to), which are the caller's again afterwards. */
  receiveData(bytes: Uint8Array, from: number, to: number): void;
  receiveConnected(data: Uint8Array): void;
  receiveResolved(data: Uint8Array): void;
  receiveSendme(): void;
  receiveXon(data: Uint8Array): void;
  receiveXoff(data: Uint8Array): void;
  /** END came: the stream is over. */
  receiveEnd(reason: number): void;
}
