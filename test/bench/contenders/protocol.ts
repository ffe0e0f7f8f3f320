// What a bench asks of an agent, the process or page in which an application uses Tor: through Allium in it, or through C tor's
// SOCKS port. One question at a time; all values are JSON.

import type { NetworkConfig, TorClientOptions } from "@allium/core";

export interface Transfer {
  readonly direction: "down" | "up";
  /** All streams together; each takes an equal part. */
  readonly bytes: number;
  readonly streams: number;
  /** Isolation keys, one for each circuit; streams take them in turn. */
  readonly circuits: readonly string[];
}

/** What goes through TLS inside the circuit. */
export interface SecureTransfer {
  /** `echo`: messages of 64 KiB through a WebSocket, eight on their way at a time. */
  readonly what: "down" | "up" | "echo";
  readonly bytes: number;
  /** Its isolation key. */
  readonly circuit: string;
}

export interface Questions {
  /** Fetches a small page on each circuit, so that all are built. */
  prepare: { question: { readonly circuits: readonly string[] }; answer: null };
  /** Milliseconds from the first request to the last byte. */
  transfer: { question: Transfer; answer: { readonly ms: number } };
  /** The same by `https:` or `wss:`, the TLS handshake included. */
  secure: { question: SecureTransfer; answer: { readonly ms: number } };
  /** Milliseconds from the request for a small page to its first byte. */
  firstByte: {
    question: {
      readonly circuit: string;
      /** Where the application decides: whether the request leaves before the exit has answered. */
      readonly optimistic: boolean;
    };
    answer: { readonly ms: number };
  };
  /** Builds a circuit for each key; milliseconds from CREATE2 to the last EXTENDED2. */
  build: { question: { readonly circuits: readonly string[] }; answer: { readonly ms: readonly number[] } };
  /** Starts a client of its own with nothing stored, and again with what that one stored. */
  start: { question: Record<never, never>; answer: Starts };
  /** Opens streams to the echo service, in turn on these circuits, and keeps them. */
  hold: { question: { readonly streams: number; readonly circuits: readonly string[] }; answer: null };
  /** Closes what is held. */
  release: { question: Record<never, never>; answer: null };
  /** Bytes of JavaScript heap, and of buffers outside it, after collecting garbage; zeros where there is no client inside. */
  memory: { question: Record<never, never>; answer: Memory };
  /** Receives what was prepared (pipeline/): the part that is not counted, or the rest. */
  receive: {
    question: { readonly warmUp: boolean };
    answer: { readonly ms: number; readonly bytes: number };
  };
  /** What a cell costs (micro/): microseconds, by part. */
  cells: { question: Record<never, never>; answer: readonly CellCost[] };
  /** Begins to watch how long the page's thread is busy at a time. */
  watch: { question: Record<never, never>; answer: null };
  /** What was watched since. Pages only. */
  watched: { question: Record<never, never>; answer: Responsiveness };
}

/** Microseconds for each cell: the median over all turns, and the best turn. */
export interface CellCost {
  readonly title: string;
  readonly median: number;
  readonly best: number;
}

/** Milliseconds until a client is ready. */
export interface Starts {
  readonly coldStart: number;
  readonly warmStart: number;
}

export interface Memory {
  readonly heap: number;
  readonly buffers: number;
}

/** Milliseconds. */
export interface Responsiveness {
  /** The longest that the browser reported; it reports those of 50 and more only. */
  readonly longestTask: number;
  readonly longTasks: number;
  /** The longest between two turns of a timer that is always due. */
  readonly longestGap: number;
  /** The longest between two frames. */
  readonly longestFrame: number;
}

export type Question = {
  [K in keyof Questions]: { readonly ask: K } & Questions[K]["question"];
}[keyof Questions];
export type AnswerTo<Q extends Question> = Questions[Q["ask"]]["answer"];
export type Reply = { readonly answer: unknown } | { readonly error: string };

/** Where the destination's servers are. */
export interface Destination {
  /** HTTP, ends in "/". */
  readonly url: string;
  readonly echo: { readonly address: string; readonly port: number };
  /** The same over TLS; `root` in PEM. */
  readonly https: { readonly url: string; readonly root: string };
}

/** What an agent with Allium in it is started with. */
export interface AlliumStart {
  readonly network: NetworkConfig;
  readonly destination: Destination;
  /** Pages only. */
  readonly bridges?: readonly string[];
  /** Pages only: the client is in a dedicated Worker. */
  readonly inWorker?: boolean;
  readonly options: ClientOptions;
}

/** Options of the client under test that a variant may set (contenders/variants.ts). */
export type ClientOptions = Pick<TorClientOptions, "circuits" | "streams">;

/** What an agent that uses C tor's SOCKS port is started with. */
export interface SocksStart {
  readonly socks: { readonly host: string; readonly port: number };
  readonly destination: Destination;
}

/** The other end of an agent: the bench's. */
export interface Link {
  ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>>;
  /** The agent's processes. */
  pids(): readonly number[];
  close(): Promise<void>;
}
