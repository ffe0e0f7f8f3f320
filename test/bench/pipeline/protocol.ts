// What the process or page that receives is told, and how it gets its bytes.

/** All in hex. */
export interface SyntheticKeys {
  readonly tlsKey: string;
  readonly tlsIv: string;
  /** The guard first. */
  readonly hops: readonly { readonly kb: string; readonly db: string }[];
}

/** A relay as a client extends to it, in hex. */
export interface TargetInHex {
  readonly rsaId: string;
  readonly ed25519Id: string;
  readonly ntorOnionKey: string;
}

/**
 * Allium's TLS, link, circuit and stream:
 * - `client`: as users have them, in Node with `nodeCiphers`
 * - `client-webcrypto`: in Node with WebCrypto, as pages have it
 * - `client-cgo`: with congestion control, and CGO at the exit
 */
export type ClientVersion = "client" | "client-webcrypto" | "client-cgo";

/**
 * - `library`: noble throughout, synchronously
 * - `per-cell`: `await crypto.subtle` for each record, and for each hop of each cell
 * - `decrypt`: AES-GCM by WebCrypto alone, several records in flight, nothing done with what is inside
 * - `bytes`: the bytes alone; tells what the WebSocket costs
 */
export type ReceiverVersion = "library" | "per-cell" | "decrypt" | "bytes";

export type VersionName = ClientVersion | ReceiverVersion;

export function isClient(version: VersionName): version is ClientVersion {
  return version.startsWith("client");
}

export interface PipelineStart {
  readonly version: VersionName;
  /** Content bytes of a TLS record. */
  readonly recordLength: number;
  /** Application bytes of which the first `warmUp` are not counted. */
  readonly bytes: number;
  readonly warmUp: number;
  /** Pages only: where the bytes come from, and what is in them. */
  readonly source?: {
    /** Base URL of the WebSocket server. */
    readonly url: string;
    readonly keys?: SyntheticKeys;
    readonly targets?: readonly TargetInHex[];
    /** Application bytes in a message, on average. */
    readonly perMessage: number;
  };
}

/** TLS bytes as they come, 64 KiB at a time; undefined at their end. */
export interface Feed {
  read(): Promise<Uint8Array | undefined>;
}

/** A receiver that can be run up to some amount. */
export interface Pipeline {
  /** Application bytes delivered so far. */
  readonly received: number;
  /** Receives until it has delivered `bytes` in all. @throws where the bytes end before, or are not what they should be */
  until(bytes: number): Promise<void>;
}
