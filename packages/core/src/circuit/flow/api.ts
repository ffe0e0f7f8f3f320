// What a hop asks of its flow control, whichever algorithm it is (tor-spec 7.3, 7.4; proposal 324).

/** Where the SENDME tag of the cell just sent can be had. */
export interface SentTags {
  sentTag(): Uint8Array;
}

/** Flow control between us and one hop, over all streams. */
export interface HopFlow {
  /** Whether another DATA cell may be sent. */
  readonly canSend: boolean;
  /** A DATA cell was sent; its tag is asked for only where a SENDME will carry it. */
  dataSent(tags: SentTags): void;
  /** The data of a circuit-level SENDME. @throws TorError `protocol-violation` when it is not owed or not authentic */
  sendmeReceived(data: Uint8Array): void;
  /** A DATA cell came; returns whether a SENDME with its tag must be sent now. */
  dataReceived(): boolean;
  /** How many bytes of data the next DATA cell carries when `available` are at hand and `max` fit. */
  dataLength(available: number, max: number): number;
  /** Flow control of a new stream to this hop. */
  stream(owner: StreamFlowOwner): StreamFlow;
}

/** What a stream's flow control does to its stream. */
export interface StreamFlowOwner {
  /** Sends a flow-control message on the stream. Of no effect once the stream is over. */
  send(command: number, data: Uint8Array): void;
  /** `canSend` became true. */
  wake(): void;
}

/** Flow control of one stream. Whatever came that may not come is a TorError `protocol-violation`. */
export interface StreamFlow {
  readonly canSend: boolean;
  /** A DATA cell with `length` bytes was sent. */
  dataSent(length: number): void;
  /** A stream-level SENDME came. */
  sendmeReceived(): void;
  /** XON and XOFF came, with their data. */
  xonReceived(data: Uint8Array): void;
  xoffReceived(data: Uint8Array): void;
  /** A DATA cell came; `buffered` bytes, its own included, wait for the application. */
  dataReceived(buffered: number): void;
  /** The application took `length` bytes that came in `cells` cells; `buffered` still wait. */
  consumed(cells: number, length: number, buffered: number): void;
  /** The stream is over for its user: nothing more is to be sent, no timer may remain. What came late is still told. */
  stop(): void;
}
