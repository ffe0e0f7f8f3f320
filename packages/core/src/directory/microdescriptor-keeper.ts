// The microdescriptors at hand (dir-spec 3.3, 5.3): read from the store, fetched as consensuses list new ones, and
// forgotten when no consensus lists them any more.

import type { TorError } from "../base/errors.ts";
import { toTorError } from "../base/errors.ts";
import type { Log } from "../base/ports.ts";
import type { DirectoryCache } from "./cache.ts";
import {
  eachMicrodescriptor,
  type Microdescriptor,
  MicrodescriptorPool,
  parseMicrodescriptor,
} from "./documents/microdescriptor.ts";
import type { Downloader } from "./download.ts";
import { type FetchOptions, fetchMicrodescriptors } from "./fetch-documents.ts";

export class MicrodescriptorKeeper {
  readonly #cache: DirectoryCache;
  readonly #downloader: Downloader;
  readonly #log: Log | undefined;
  #held = new Map<string, Microdescriptor | null>();
  /** Fetched and not stored yet. */
  #unsaved: Uint8Array[] = [];

  constructor(cache: DirectoryCache, downloader: Downloader, log: Log | undefined) {
    this.#cache = cache;
    this.#downloader = downloader;
    this.#log = log;
  }

  /** By digest; null for one that is at hand and cannot be read. */
  get held(): ReadonlyMap<string, Microdescriptor | null> {
    return this.#held;
  }

  /** Takes those of the store that are wanted and not at hand. */
  async load(wanted: ReadonlySet<string>): Promise<void> {
    const pool = new MicrodescriptorPool();
    await this.#cache.loadMicrodescriptors((digest, bytes) => {
      if (wanted.has(digest) && !this.#held.has(digest)) this.#take(digest, bytes, pool);
    });
  }

  /** Takes those of a snapshot that are wanted and not at hand, and stores them. The others are nobody's business. @throws TorError for damage */
  async adopt(document: Uint8Array, wanted: ReadonlySet<string>): Promise<void> {
    const pool = new MicrodescriptorPool();
    const added: Uint8Array[] = [];
    try {
      await eachMicrodescriptor(document, (digest, bytes) => {
        if (!wanted.has(digest) || this.#held.has(digest)) return;
        this.#take(digest, bytes, pool);
        added.push(bytes);
      });
    } finally {
      // Those before the damage are what their digests say.
      if (added.length > 0) await this.#cache.addMicrodescriptors(added, wanted);
    }
  }

  missing(wanted: ReadonlySet<string>): string[] {
    return [...wanted].filter((digest) => !this.#held.has(digest));
  }

  /** Forgets those that are not wanted; the store keeps them for a while (cache.ts). */
  retain(wanted: ReadonlySet<string>): void {
    this.#held = new Map([...this.#held].filter(([digest]) => wanted.has(digest)));
  }

  /**
   * Fetches what is missing and stores it; `onPart` is called as it comes, with how many are still missing.
   * @returns the last failure when not everything could be had
   */
  async fetch(
    wanted: ReadonlySet<string>,
    onPart: (missing: number) => void,
    options: FetchOptions,
  ): Promise<TorError | undefined> {
    const missing = this.missing(wanted);
    if (missing.length === 0) return undefined;
    const pool = new MicrodescriptorPool();
    let left = missing.length;
    const take = (digest: string, bytes: Uint8Array) => {
      this.#take(digest, bytes, pool);
      this.#unsaved.push(bytes);
      left--;
    };
    try {
      return await fetchMicrodescriptors(this.#downloader, missing, take, () => onPart(left), options);
    } finally {
      // What came before an abort need not be fetched again.
      await this.save(wanted);
    }
  }

  /** Stores what came so far. */
  async save(wanted: ReadonlySet<string>): Promise<void> {
    if (this.#unsaved.length === 0) return;
    const added = this.#unsaved;
    this.#unsaved = [];
    await this.#cache.addMicrodescriptors(added, wanted);
  }

  #take(digest: string, bytes: Uint8Array, pool: MicrodescriptorPool): void {
    let parsed: Microdescriptor | null = null;
    try {
      parsed = parseMicrodescriptor(bytes, pool);
    } catch (error) {
      // The digest says that the authorities wrote it so: no cache is to blame, and no other has a better one.
      this.#log?.({
        level: "debug",
        code: "directory-bad-microdescriptor",
        message: "a microdescriptor cannot be read",
        data: { error: toTorError(error).code },
      });
    }
    this.#held.set(digest, parsed);
  }
}
