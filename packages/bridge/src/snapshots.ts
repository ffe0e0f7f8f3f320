// The directory's documents as the bridge got them, for clients to start from: read from the store after each verified
// view, and packed once. Specified in docs/protocol/bridge.md ("Directory documents").
// Not here: fetching and verifying (core), HTTP (serve-document.ts).

import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Log, NetworkConfig, SnapshotName, Store } from "@allium/core";
import { type DirectorySnapshot, type NetDir, readSnapshot } from "@allium/core/internal";
import type { PackedDocument } from "./serve-document.ts";

const NAMES: readonly SnapshotName[] = ["consensus-microdesc", "certificates", "microdescriptors"];

/** What core keeps of the directory has keys that begin so. */
const STORED = "directory/";

/** Part of the relays whose microdescriptors may lack: what is half there would stay in caches for an hour. */
const MAY_LACK = 0.1;

/** Above it packing takes three times as long, for 3% of the size. */
const BROTLI_QUALITY = 9;

const packBrotli = promisify(brotliCompress);
const packGzip = promisify(gzip);

interface SnapshotsOptions {
  readonly store: Store;
  readonly network: NetworkConfig;
  readonly log: Log;
}

/** A snapshot in the forms in which it is served. */
interface PackedSnapshot {
  /** Milliseconds since the epoch. */
  readonly freshUntil: number;
  readonly validUntil: number;
  readonly documents: ReadonlyMap<string, PackedDocument>;
}

/** Holds the newest snapshot, and none that is not of the verified view. */
export class Snapshots {
  /** The bridge's own, watched: what comes after a view belongs into the snapshot too. */
  readonly store: Store;
  readonly #options: SnapshotsOptions;
  #view: NetDir | undefined;
  #held: PackedSnapshot | undefined;
  #changed = false;
  #reading = false;
  #closed = false;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    this.store = watched(options.store, () => void this.#refresh());
  }

  /** Takes a verified view, whose documents are in the store. */
  add(view: NetDir): void {
    this.#view = view;
    void this.#refresh();
  }

  /**
   * The document to serve at `now` (milliseconds since the epoch), and until when it may be cached; undefined for none, and
   * once the consensus is not valid any more.
   */
  find(name: string, now: number): { document: PackedDocument; maxAge: number } | undefined {
    const held = this.#held;
    const document = held?.documents.get(name);
    if (held === undefined || document === undefined || now > held.validUntil) return undefined;
    return { document, maxAge: Math.min(Math.max(held.freshUntil - now, 60_000), held.validUntil - now) };
  }

  /** Packs no more. */
  close(): void {
    this.#closed = true;
    this.#held = undefined;
  }

  /** Reads the store anew, once at a time: what changes meanwhile is read after that. */
  async #refresh(): Promise<void> {
    this.#changed = true;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#changed && !this.#closed) {
      this.#changed = false;
      await this.#read().catch((error: unknown) => this.#complain(error));
    }
    this.#reading = false;
  }

  async #read(): Promise<void> {
    const view = this.#view;
    if (view === undefined) return;
    const snapshot = await readSnapshot(this.#options.store, this.#options.network);
    // A newer consensus is in the store before its view is in use.
    if (snapshot === undefined || snapshot.validAfter !== view.validAfter) return;
    const documents = await this.#packed(snapshot, view);
    if (this.#closed) return;
    const { freshUntil, validUntil } = snapshot;
    this.#held = { freshUntil, validUntil, documents };
  }

  async #packed(snapshot: DirectorySnapshot, view: NetDir): Promise<ReadonlyMap<string, PackedDocument>> {
    const documents = new Map<string, PackedDocument>();
    for (const name of NAMES) {
      const bytes = snapshot.documents[name];
      if (bytes.length === 0) continue;
      if (name === "microdescriptors" && view.undescribed.length > view.listed * MAY_LACK) continue;
      if (this.#closed) break;
      documents.set(name, await pack(bytes, this.#held?.documents.get(name)));
    }
    return documents;
  }

  #complain(error: unknown): void {
    const message = `the directory's documents cannot be served: ${error instanceof Error ? error.message : error}`;
    this.#options.log({ level: "warn", code: "bridge.snapshot-failed", message });
  }
}

/** `before` itself where it is the same document. */
async function pack(bytes: Uint8Array, before: PackedDocument | undefined): Promise<PackedDocument> {
  const hash = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  const digest = Buffer.from(hash).toString("base64url");
  if (before?.digest === digest) return before;
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  // One after the other: the bridge's pipes need the other core.
  const br = await packBrotli(bytes, { params });
  return { digest, codings: { br, gzip: await packGzip(bytes), identity: bytes } };
}

/** `store`, which tells after each write to the directory's part. */
function watched(store: Store, onWrite: () => void): Store {
  return {
    get: (key) => store.get(key),
    lock: (name, fn) => store.lock(name, fn),
    async set(entries) {
      await store.set(entries);
      if ([...entries.keys()].some((key) => key.startsWith(STORED))) onWrite();
    },
  };
}
