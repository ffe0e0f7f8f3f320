// What a hop asks of its flow control, whichever algorithm it is (tor-spec 7.3, 7.4).

/** Flow control between us and one hop, over all streams. */
export interface HopFlow {
  /** Whether another DATA cell may be sent. */
  readonly canSend: boolean;
  /** A DATA cell was sent; `tag` is its SENDME tag. */
  dataSent(tag: Uint8Array): void;
  /** The body of a circuit-level SENDME. @throws TorError `protocol-violation` when it is not owed or not authentic */
  sendmeReceived(body: Uint8Array): void;
  /** A DATA cell came; returns whether a SENDME with its tag must be sent now. */
  dataReceived(): boolean;
  /** How many bytes of data the next DATA cell carries when `available` are at hand and `max` fit. */
  dataLength(available: number, max: number): number;
  /** Flow control of a new stream to this hop. */
  stream(): StreamFlow;
}

/** Flow control of one stream. */
export interface StreamFlow {
  readonly canSend: boolean;
  dataSent(): void;
  /** @throws TorError `protocol-violation` when no SENDME is owed */
  sendmeReceived(): void;
  /** @throws TorError `protocol-violation` when the window is overrun */
  dataReceived(): void;
  /** The application took `cells` DATA cells; returns how many SENDMEs are to be sent. */
  consumed(cells: number): number;
}
