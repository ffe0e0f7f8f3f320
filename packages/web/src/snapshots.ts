// Core's SnapshotSource over HTTP: the directory's documents as bridges serve them. Specified in docs/protocol/bridge.md
// ("Directory documents"). Nothing is believed here: core verifies what comes.

import { type SnapshotSource, systemClock, TorError } from "@allium/core";
import { onAbort, throwIfAborted, toTorError, withTimeout } from "@allium/core/internal";
import { connectUrl } from "./wire.ts";

export interface WebSnapshotsOptions {
  /** As for `webDialer`; each is asked until one has the document. A `ws:` one is not asked but on loopback. */
  readonly bridges: readonly string[];
  /** In place of the platform's. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Place of the bridge to begin with: a client shows itself to one operator while that one works. */
  readonly first?: () => number;
}

type Request = Parameters<SnapshotSource["fetch"]>[1];

/** Never the visitor's cookies or the page's address; what a cache has fresh will do, since the documents say their age. */
const INIT: RequestInit = {
  credentials: "omit",
  referrerPolicy: "no-referrer",
  mode: "cors",
  // A bridge could know a visitor again by the ETag of a cached document; verified documents are in the store anyway.
  cache: "no-store",
  redirect: "error",
};

/** Milliseconds for a bridge to answer, and then for each piece: it has the documents packed, and need not think. */
const STALL = 5000;

/** Bytes to begin with; what a document may have is known only when it is over. */
const FIRST_BUFFER = 65_536;

/** Documents from bridges. @throws TorError `bad-api-usage` for a bridge that is none */
export function webSnapshots(options: WebSnapshotsOptions): SnapshotSource {
  const { fetch: request = (url, init) => fetch(url, init) } = options;
  const { first = () => 0 } = options;
  const bases = options.bridges.map(documentsUrl);
  return {
    async fetch(name, limits) {
      let failure: TorError | undefined;
      const begin = first();
      for (const base of [...bases.slice(begin), ...bases.slice(0, begin)]) {
        if (base === undefined) continue;
        try {
          const document = await fetchDocument(request, base + name, limits);
          if (document !== undefined) return document;
        } catch (thrown) {
          throwIfAborted(limits.signal);
          failure ??= toTorError(thrown, unreachable);
        }
      }
      if (failure !== undefined) throw failure;
      return undefined;
    },
  };
}

/** Where a bridge has its documents; undefined for one that would be asked in the clear over a network. */
function documentsUrl(bridge: string): string | undefined {
  const url = connectUrl(bridge);
  if (url.startsWith("ws:") && !isLoopback(new URL(url).hostname)) return undefined;
  return url.replace(/^ws/, "http").replace(/v1\/connect$/, "dir/");
}

function isLoopback(host: string): boolean {
  return (
    host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127(\.\d+){3}$/.test(host)
  );
}

/** @throws TorError `offline`, `ALLIUM_E_SNAPSHOT_TIMEOUT`, when nothing comes for a while */
async function fetchDocument(
  request: NonNullable<WebSnapshotsOptions["fetch"]>,
  url: string,
  { maxLength, signal }: Request,
): Promise<Uint8Array | undefined> {
  const connection = new AbortController();
  const forget = onAbort(signal, (error) => connection.abort(error));
  try {
    const init = { ...INIT, signal: connection.signal };
    const response = await beforeStall(connection.signal, () => request(url, init));
    if (response.status === 200 && response.body !== null)
      return await readBody(response.body, maxLength, connection.signal);
    if (response.status === 404) return undefined;
    throw unreachable(new Error(`the bridge answered ${response.status}`));
  } finally {
    forget();
    // Nothing more is read, whatever the bridge sends.
    connection.abort();
  }
}

function beforeStall<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  const error = () => new TorError("offline", "ALLIUM_E_SNAPSHOT_TIMEOUT", "the bridge sends nothing more");
  return withTimeout({ clock: systemClock, ms: STALL, signal, error }, step);
}

/** @throws TorError `limit` as soon as it is longer than `maxLength` */
async function readBody(
  body: ReadableStream<Uint8Array>,
  maxLength: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const reader = body.getReader();
  let bytes = new Uint8Array(Math.min(FIRST_BUFFER, maxLength));
  let length = 0;
  for (;;) {
    const { done, value } = await beforeStall(signal, () => reader.read());
    if (done) return bytes.slice(0, length);
    const end = length + value.length;
    if (end > maxLength)
      throw new TorError("limit", "ALLIUM_E_SNAPSHOT_LIMIT", "the snapshot is longer than was asked for");
    if (end > bytes.length) bytes = grown(bytes, Math.min(Math.max(2 * bytes.length, end), maxLength));
    bytes.set(value, length);
    length = end;
  }
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

function unreachable(cause: unknown): TorError {
  const message = "the bridge does not serve the directory's documents";
  return new TorError("bridge-unreachable", "ALLIUM_E_SNAPSHOT_UNREACHABLE", message, { cause });
}
