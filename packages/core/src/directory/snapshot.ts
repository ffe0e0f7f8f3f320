// A start from documents that a bridge serves as it got them (docs/protocol/bridge.md, `/dir/`): one request each instead of
// a hundred through Tor. They are judged as those of any directory cache, and what they lack is fetched through Tor.
// For bridges: what they serve, read from the store.

import { withTimeout } from "../base/abort.ts";
import { concat } from "../base/bytes.ts";
import { systemClock } from "../base/clock.ts";
import { TorError, type TorErrorCode, toTorError } from "../base/errors.ts";
import type { Clock, Log, Store } from "../base/ports.ts";
import type { NetworkConfig, SnapshotName, SnapshotSource } from "./api.ts";
import { DirectoryCache } from "./cache.ts";
import type { ConsensusKeeper } from "./consensus-keeper.ts";
import { parseConsensus } from "./documents/consensus.ts";
import { MAX_CERTIFICATE, MAX_CONSENSUS } from "./fetch-documents.ts";
import type { Lifetime } from "./lifetime.ts";
import type { MicrodescriptorKeeper } from "./microdescriptor-keeper.ts";
import { configuredAuthorities } from "./signatures.ts";

/** Milliseconds for one document; 700 kB packed take a second on a line that is worth having. */
const TIMEOUT = 30_000;

/** What is said of a document that is too late, by a source too. */
const LATE: TorErrorCode = "ALLIUM_E_SNAPSHOT_TIMEOUT";

/** The public network's 9,700 have 41 MB unpacked with their family lists, a tenth of that without. */
const MAX_MICRODESCRIPTORS = 64 * 1024 * 1024;
/** An authority may have several certificates at a time. */
const CERTIFICATES_EACH = 4;

export interface SnapshotOptions {
  readonly source: SnapshotSource;
  readonly authorities: ReadonlySet<string>;
  readonly clock: Clock;
  readonly log: Log | undefined;
}

export class Snapshots {
  readonly #options: SnapshotOptions;
  /** A document did not come in time: the others would cost as much again. */
  #areLate = false;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  /** A bootstrap begins: what was too late in the one before may be in time now. */
  begin(): void {
    this.#areLate = false;
  }

  /** Takes a consensus if it can be believed and is valid now. Never rejects but for an abort. */
  consensus(keeper: ConsensusKeeper, signal: AbortSignal): Promise<void> {
    const { authorities } = this.#options;
    return this.#try("consensus-microdesc", signal, async () => {
      const [document, certificates] = await Promise.all([
        this.#fetch("consensus-microdesc", MAX_CONSENSUS, signal),
        this.#fetch("certificates", authorities.size * CERTIFICATES_EACH * MAX_CERTIFICATE, signal),
      ]);
      if (document !== undefined) await keeper.adopt(document, certificates ?? new Uint8Array(0));
    });
  }

  /** Takes the microdescriptors that are wanted and that the snapshot has. Never rejects but for an abort. */
  microdescriptors(
    keeper: MicrodescriptorKeeper,
    wanted: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#try("microdescriptors", signal, async () => {
      const document = await this.#fetch("microdescriptors", MAX_MICRODESCRIPTORS, signal);
      if (document !== undefined) await keeper.adopt(document, wanted);
    });
  }

  async #fetch(name: SnapshotName, maxLength: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { clock, source } = this.#options;
    const error = () => new TorError("offline", LATE, "the snapshot does not come in time");
    const document = await withTimeout({ clock, ms: TIMEOUT, signal, error }, (limited) =>
      source.fetch(name, { maxLength, signal: limited }),
    );
    if (document === undefined || document.length <= maxLength) return document;
    throw new TorError("limit", "ALLIUM_E_SNAPSHOT_LIMIT", "the snapshot is longer than was asked for");
  }

  async #try(name: SnapshotName, signal: AbortSignal, take: () => Promise<void>): Promise<void> {
    if (this.#areLate) return;
    try {
      await take();
    } catch (thrown) {
      const error = toTorError(thrown);
      if (signal.aborted) throw error;
      if (error.code === LATE) this.#areLate = true;
      this.#options.log?.({
        level: "info",
        code: "directory-snapshot-refused",
        message: "a snapshot of the directory is not used; the directory caches are asked",
        data: { name, error: error.code },
      });
    }
  }
}

/** The documents that a bridge serves, as the authorities and relays wrote them. */
export interface DirectorySnapshot extends Lifetime {
  readonly documents: Readonly<Record<SnapshotName, Uint8Array>>;
}

/** What a client that keeps its directory in `store` may hand on; undefined while it has no consensus. */
export async function readSnapshot(
  store: Store,
  network: NetworkConfig,
): Promise<DirectorySnapshot | undefined> {
  const cache = new DirectoryCache(store, configuredAuthorities(network), systemClock);
  const { consensus, certificates } = await cache.load();
  if (consensus === undefined) return undefined;
  const { validAfter, freshUntil, validUntil, routers } = await parseConsensus(consensus);
  const listed = new Set(routers.map(({ microdescriptor }) => microdescriptor));
  const microdescriptors = new Map<string, Uint8Array>();
  await cache.loadMicrodescriptors((digest, bytes) => {
    if (listed.has(digest)) microdescriptors.set(digest, bytes);
  });
  return {
    ...{ validAfter, freshUntil, validUntil },
    documents: {
      "consensus-microdesc": consensus,
      certificates: certificates ?? new Uint8Array(0),
      microdescriptors: concat(...microdescriptors.values()),
    },
  };
}
