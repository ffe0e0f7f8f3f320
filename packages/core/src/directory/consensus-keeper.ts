// The newest consensus that the authorities signed (dir-spec 5.1): read from the store, fetched whole or as a difference to
// the one held (4.5), and believed only when enough authorities signed it, it is of today and not older than the last one.

import { TorError, toTorError } from "../base/errors.ts";
import type { Clock, Log } from "../base/ports.ts";
import type { DirectoryCache } from "./cache.ts";
import type { CertificateKeeper } from "./certificate-keeper.ts";
import { type Consensus, parseConsensus } from "./documents/consensus.ts";
import { applyConsensusDiff, isConsensusDiff, signedPartDigest } from "./documents/consensus-diff.ts";
import type { Downloader } from "./download.ts";
import { type ConsensusBase, type FetchOptions, fetchConsensus, MAX_CONSENSUS } from "./fetch-documents.ts";
import { isLive, requireCurrent } from "./lifetime.ts";
import { isObsolete, missingRecommended, requireImplemented } from "./protocol-status.ts";

export interface ConsensusKeeperOptions {
  /** v3idents, upper-case. */
  readonly authorities: ReadonlySet<string>;
  readonly certificates: CertificateKeeper;
  readonly cache: DirectoryCache;
  readonly downloader: Downloader;
  readonly clock: Clock;
  readonly log: Log | undefined;
}

export class ConsensusKeeper {
  readonly #options: ConsensusKeeperOptions;
  #held: Consensus | undefined;
  /** valid-after of the newest consensus ever verified for this network. */
  #floor = 0;
  /** The recommended protocols that were missing the last time. */
  #advised = "";

  constructor(options: ConsensusKeeperOptions) {
    this.#options = options;
  }

  /** The newest one that was believed, be it no longer valid. */
  get held(): Consensus | undefined {
    return this.#held;
  }

  /** Takes what the store holds, verified anew. What cannot be believed is forgotten, and said to the log. */
  async load(): Promise<void> {
    const { cache, certificates } = this.#options;
    const stored = await cache.load();
    this.#floor = Math.max(this.#floor, stored.floor);
    try {
      certificates.load(stored.certificates);
    } catch (error) {
      this.#report("warn", "directory-cache-damaged", "stored key certificates are damaged", error);
    }
    if (stored.consensus === undefined) return;
    try {
      await this.#accept(stored.consensus);
    } catch (error) {
      this.#report("info", "directory-cache-refused", "the stored consensus is not used", error);
      const refusal = toTorError(error);
      // One that only the clock speaks against stays: the clock may be what is wrong. So does one for a later version.
      if (refusal.kind !== "clock-skew" && !isObsolete(refusal)) await cache.dropConsensus();
    }
  }

  /**
   * Takes a consensus and its certificates from a snapshot if it is valid now and newer than the one held.
   * @throws TorError when it cannot be believed
   */
  async adopt(document: Uint8Array, certificateDocument: Uint8Array): Promise<void> {
    const { cache, certificates, clock } = this.#options;
    certificates.load(certificateDocument);
    const before = this.#held;
    const consensus = await parseConsensus(document);
    if (!isLive(consensus, clock.now())) return;
    this.#requireBelievable(consensus);
    if (before !== undefined && consensus.validAfter <= before.validAfter) return;
    this.#hold(consensus);
    await cache.saveConsensus(consensus.validAfter, document, certificates.live(clock.now()));
  }

  /**
   * A consensus newer than the one held: another tab's from the store, or a cache's. @returns whether there is one
   * @throws TorError when no cache has one that can be believed; `ALLIUM_E_OBSOLETE` when one that can requires too much
   */
  async refresh(options: FetchOptions): Promise<boolean> {
    const { authorities, cache, certificates, clock, downloader } = this.#options;
    const before = this.#held?.validAfter;
    if (await this.#takeOtherTabs()) return true;
    const base = await this.#base();
    const fetched = await fetchConsensus(
      downloader,
      authorities,
      base,
      async (body) => {
        const bytes = isConsensusDiff(body) ? await this.#patched(base, body) : body;
        const consensus = await parseConsensus(bytes);
        await certificates.fetchNeeded(consensus, clock.now(), options);
        await this.#requireOfUse(consensus, bytes);
        return { consensus, bytes };
      },
      options,
    );
    if (fetched === undefined || fetched.consensus.validAfter === before) return false;
    const { consensus, bytes } = fetched;
    this.#hold(consensus);
    await cache.saveConsensus(consensus.validAfter, bytes, certificates.live(clock.now()));
    return true;
  }

  /** Fetches the certificates of all who signed the held consensus. */
  async completeCertificates(options: FetchOptions): Promise<void> {
    const { cache, certificates, clock } = this.#options;
    if (this.#held === undefined) return;
    if (!(await certificates.fetchMissing(this.#held, clock.now(), options))) return;
    await cache.saveCertificates(certificates.live(clock.now()));
  }

  /** What another tab fetched meanwhile need not be fetched again. */
  async #takeOtherTabs(): Promise<boolean> {
    const held = this.#held;
    if (held === undefined || (await this.#options.cache.floor()) <= held.validAfter) return false;
    await this.load();
    return this.#held !== held;
  }

  /** The held consensus's document, so that a cache may send the difference only. */
  async #base(): Promise<ConsensusBase | undefined> {
    const lifetime = this.#held;
    if (lifetime === undefined) return undefined;
    const bytes = await this.#options.cache.consensus();
    if (bytes === undefined) return { lifetime };
    try {
      return { lifetime, document: { bytes, digest: await signedPartDigest(bytes) } };
    } catch (error) {
      this.#report("warn", "directory-cache-damaged", "the stored consensus is damaged", error);
      return { lifetime };
    }
  }

  async #patched(base: ConsensusBase | undefined, diff: Uint8Array): Promise<Uint8Array> {
    if (base?.document === undefined) {
      const message = "the directory cache sent a difference to a consensus that was not named";
      throw new TorError("protocol-violation", "ALLIUM_E_BAD_CONSENSUS_DIFF", message);
    }
    const { bytes, digest } = base.document;
    return applyConsensusDiff(bytes, diff, { maxLength: MAX_CONSENSUS, baseDigest: digest });
  }

  async #accept(bytes: Uint8Array): Promise<void> {
    const consensus = await parseConsensus(bytes);
    this.#requireBelievable(consensus);
    if (this.#held === undefined || consensus.validAfter > this.#held.validAfter) this.#hold(consensus);
  }

  #hold(consensus: Consensus): void {
    // Another fetch may have been faster.
    if (this.#held !== undefined && consensus.validAfter < this.#held.validAfter) return;
    this.#held = consensus;
    this.#floor = Math.max(this.#floor, consensus.validAfter);
    this.#adviseUpdate(missingRecommended(consensus).join(" "));
  }

  /** Said once for each list: a client that follows the network for weeks would repeat it every hour. */
  #adviseUpdate(missing: string): void {
    const isNew = missing !== this.#advised;
    this.#advised = missing;
    if (missing === "" || !isNew) return;
    this.#options.log?.({
      level: "warn",
      code: "directory-update-recommended",
      message: "the network recommends what this version of Allium lacks, and may require it soon: update it",
      data: { missing },
    });
  }

  /** As `#requireBelievable`, for what a cache sent. */
  async #requireOfUse(consensus: Consensus, bytes: Uint8Array): Promise<void> {
    const { cache, certificates, clock } = this.#options;
    try {
      this.#requireBelievable(consensus);
    } catch (error) {
      // Stored all the same: the next start must not begin with the one before it, and a later version can use it.
      if (isObsolete(toTorError(error)))
        await cache.saveConsensus(consensus.validAfter, bytes, certificates.live(clock.now()));
      throw error;
    }
  }

  /**
   * @throws TorError unless the authorities signed it, it is of today, not older than the one held, and requires nothing
   *   that is not there: `ALLIUM_E_OBSOLETE` is said of what is believed in all other respects
   */
  #requireBelievable(consensus: Consensus): void {
    const now = this.#options.clock.now();
    this.#options.certificates.requireSignatures(consensus, now);
    requireCurrent(consensus, now);
    if (consensus.validAfter < this.#floor) {
      const message = "the directory cache serves an older consensus than the one seen before";
      throw new TorError("directory-expired", "ALLIUM_E_CONSENSUS_ROLLBACK", message);
    }
    requireImplemented(consensus);
  }

  #report(level: "info" | "warn", code: string, message: string, error: unknown): void {
    this.#options.log?.({ level, code, message, data: { error: toTorError(error).code } });
  }
}
