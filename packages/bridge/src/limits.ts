// The limits of one bridge process, with the defaults of docs/protocol/bridge.md ("Limits").

/** Times in milliseconds, sizes in bytes. */
export interface BridgeLimits {
  /** WebSockets open at once; more are answered 503 before the upgrade. */
  readonly maxConnections: number;
  /** Until the upgrade request's headers are in. */
  readonly headerTimeout: number;
  /** From the upgrade until the destination frame is in. */
  readonly firstFrameTimeout: number;
  readonly dialTimeout: number;
  /** Without a byte in either direction. */
  readonly idleTimeout: number;
  readonly pingInterval: number;
  /** A pipe's reading side pauses above `bufferHigh` bytes and goes on below `bufferLow`. */
  readonly bufferHigh: number;
  readonly bufferLow: number;
  /** For the relay to take what is left for it once its client is gone. */
  readonly relayFlushTimeout: number;
  /** For a client to take a document of the directory. */
  readonly documentTimeout: number;
  /** From the first refusal of new connections until open pipes are cut, when the bridge closes. */
  readonly drainTimeout: number;
}

export const defaultLimits: BridgeLimits = {
  maxConnections: 4096,
  headerTimeout: 5_000,
  firstFrameTimeout: 10_000,
  dialTimeout: 10_000,
  idleTimeout: 300_000,
  pingInterval: 25_000,
  bufferHigh: 256 * 1024,
  bufferLow: 64 * 1024,
  relayFlushTimeout: 2_000,
  documentTimeout: 120_000,
  drainTimeout: 5_000,
};
