// Keeps a verified view of the network: from the store at start, from directory caches at bootstrap, and fresh after that
// (dir-spec 5.1 to 5.3). Not in this room: choosing relays, opening circuits, saying how many microdescriptors are enough.

import { abortable, abortError, sleep } from "../base/abort.ts";
import type { RetryPolicy } from "../base/backoff.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Clock, Log, LogLevel, Store } from "../base/ports.ts";
import type { DirectoryConnector, NetDir, NetworkConfig, Shortage, SnapshotSource } from "./api.ts";
import { DirectoryCache } from "./cache.ts";
import { CertificateKeeper } from "./certificate-keeper.ts";
import { ConsensusKeeper } from "./consensus-keeper.ts";
import { Downloader } from "./download.ts";
import type { FetchOptions } from "./fetch-documents.ts";
import { isCurrent, isLive, nextEarlyFetchTime, nextFetchTime, requireCurrent } from "./lifetime.ts";
import { MicrodescriptorKeeper } from "./microdescriptor-keeper.ts";
import { makeNetDir } from "./netdir.ts";
import { isObsolete } from "./protocol-status.ts";
import { Schedule } from "./schedule.ts";
import { configuredAuthorities } from "./signatures.ts";
import { Snapshots } from "./snapshot.ts";

export interface DirectoryProgress {
  readonly phase: "consensus" | "certificates" | "microdescriptors";
  /** 0 to 1, within the phase. */
  readonly fraction: number;
}

export interface DirectoryManagerOptions {
  readonly network: NetworkConfig;
  readonly connector: DirectoryConnector;
  readonly store: Store;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** Tried first when the network's view has to be fetched. */
  readonly snapshots?: SnapshotSource | undefined;
  /** Says when there are microdescriptors enough; not asked with `consensusOnly`. */
  readonly shortage: Shortage;
  /** No microdescriptors: the NetDir has no relays then. */
  readonly consensusOnly?: boolean;
  /** For bridges: the next consensus is fetched early, as caches do. */
  readonly early?: boolean;
  readonly onProgress?: (progress: DirectoryProgress) => void;
  /** A try failed and another follows. */
  readonly onTrouble?: (error: TorError) => void;
  /** A new view is in use. */
  readonly onNetDir?: (netdir: NetDir) => void;
}

/** A sleep is cut into pieces of this length (ms), because timers stand still while a device sleeps. */
const LONGEST_SLEEP = 60_000;

/** Parts of the microdescriptors: below the first no network has enough, and after each such step it is tried again. */
const LEAST_DESCRIBED = 0.5;
const TRY_STEP = 0.05;

/** Part of the microdescriptors that must be missing for a snapshot of all to be fetched. */
const SNAPSHOT_WORTH = 0.25;

/** dir-spec 5.2: microdescriptors that could not be had are asked for again after 1, then up to 10 minutes. */
const missingPolicy: RetryPolicy = {
  attempts: Number.POSITIVE_INFINITY,
  initialDelay: 60_000,
  maxDelay: 600_000,
  multiplier: 3,
  jitter: "decorrelated",
};

export class DirectoryManager {
  readonly #options: DirectoryManagerOptions;
  readonly #consensus: ConsensusKeeper;
  readonly #microdescriptors: MicrodescriptorKeeper;
  readonly #snapshots: Snapshots | undefined;
  #netdir: NetDir | undefined;
  #bootstrapping: Promise<NetDir> | undefined;
  /** Why the held consensus could not be put to use. */
  #lacking: string | undefined;
  /** That the network requires what this version lacks, once it is known. */
  #obsolete: TorError | undefined;
  #loaded = false;
  /** The fetch of microdescriptors under way; it outlives a bootstrap that has enough of them. */
  #completing: Promise<TorError | undefined> | undefined;

  constructor(options: DirectoryManagerOptions) {
    this.#options = options;
    const { network, connector, store, clock, log, onTrouble } = options;
    const authorities = configuredAuthorities(network);
    const cache = new DirectoryCache(store, authorities, clock, log);
    const downloader = new Downloader({ connector, clock, log, onTrouble });
    const certificates = new CertificateKeeper(authorities, downloader);
    this.#consensus = new ConsensusKeeper({ authorities, certificates, cache, downloader, clock, log });
    this.#microdescriptors = new MicrodescriptorKeeper(cache, downloader, log);
    const { snapshots: source } = options;
    this.#snapshots = source && new Snapshots({ source, authorities, clock, log });
  }

  /**
   * The view in use; undefined before there is one, after it has expired by more than is tolerated, and once the network
   * requires what this version lacks.
   */
  get netdir(): NetDir | undefined {
    const netdir = this.#netdir;
    return netdir !== undefined && isCurrent(netdir, this.#now()) ? netdir : undefined;
  }

  /** Takes what the store holds, verified anew. @returns whether that suffices for a view of the network */
  async load(): Promise<boolean> {
    this.#loaded = true;
    await this.#consensus.load();
    if (this.#consensus.held === undefined) return false;
    await this.#microdescriptors.load(this.#listedDigests());
    return this.#publish();
  }

  /**
   * A view of the network: the stored one where it is still valid, a fetched one otherwise. What is not needed for it to be
   * safe to use is still being fetched when it comes. Who asks meanwhile gets the same, until the first one's signal aborts.
   * @throws TorError why there is none: of the last try, once all have failed; `ALLIUM_E_OBSOLETE` as soon as that is known
   */
  bootstrap({ signal }: { readonly signal: AbortSignal }): Promise<NetDir> {
    this.#bootstrapping ??= this.#bootstrap(signal).finally(() => {
      this.#bootstrapping = undefined;
    });
    return this.#bootstrapping;
  }

  async #bootstrap(signal: AbortSignal): Promise<NetDir> {
    this.#requireUpToDate();
    this.#snapshots?.begin();
    if (!this.#loaded) await this.load();
    if (!this.#isLive()) await this.#bootstrapConsensus(signal);
    const failure = await this.#enoughMicrodescriptors(signal);
    const { netdir } = this;
    if (netdir !== undefined && netdir.validAfter === this.#consensus.held?.validAfter) return netdir;
    // Who keeps the view fresh may have found that out meanwhile.
    this.#requireUpToDate();
    throw failure ?? this.#incomplete();
  }

  /**
   * Follows the network until the signal aborts: fetches each next consensus when it is time, whatever fails.
   * @throws TorError `ALLIUM_E_OBSOLETE` when the network requires what this version lacks: no view is in use from then on
   */
  async keepFresh(signal: AbortSignal): Promise<void> {
    const consensus = new Schedule(this.#nextConsensusTime());
    const missing = new Schedule(this.#now());
    while (!signal.aborted) {
      try {
        await this.#sleepUntil(Math.min(consensus.at, missing.at), signal);
        if (this.#now() >= consensus.at) {
          if (!(await this.#refresh(signal))) throw notNewer();
          this.#publishEarly();
          consensus.succeeded(this.#nextConsensusTime());
          missing.succeeded(this.#now());
        }
        await this.#completeMicrodescriptors(signal);
        await this.#completeCertificates(signal);
        if (this.#missing().length === 0) missing.at = Number.POSITIVE_INFINITY;
        else missing.failed(this.#now(), missingPolicy);
      } catch (thrown) {
        if (signal.aborted) return;
        this.#requireUpToDate();
        const message = "the directory could not be brought up to date";
        this.#report("warn", "directory-refresh-failed", message, thrown);
        if (this.#now() >= consensus.at) consensus.failed(this.#now(), this.#refreshPolicy());
        else missing.failed(this.#now(), missingPolicy);
      }
    }
  }

  // --- consensus -----------------------------------------------------------------------------------------------------

  /** A new consensus, or the held one when it is not valid any more but still tolerated. */
  async #bootstrapConsensus(signal: AbortSignal): Promise<void> {
    this.#progress("consensus", 0);
    await this.#snapshots?.consensus(this.#consensus, signal);
    if (this.#isLive()) return this.#progress("consensus", 1);
    try {
      const isNewer = await this.#refresh(signal);
      const { held } = this.#consensus;
      if (held === undefined) throw notNewer();
      // Where it is the newest there is, the clock may be what is wrong, and the error says so.
      if (!isNewer) requireCurrent(held, this.#now());
    } catch (error) {
      if (signal.aborted) throw abortError(signal);
      // The old one is from before the requirement, which holds all the same.
      this.#requireUpToDate();
      if (!this.#isTolerable()) throw error;
      const message = "no newer consensus can be had; the old one is used";
      this.#report("warn", "directory-consensus-old", message, error);
    }
    this.#publishEarly();
    this.#progress("consensus", 1);
  }

  /** @returns whether there is a newer consensus. Where the newest makes this version obsolete, no view is in use any more. */
  async #refresh(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#consensus.refresh(this.#asking(signal));
    } catch (thrown) {
      const error = toTorError(thrown);
      if (isObsolete(error)) {
        this.#obsolete = error;
        this.#netdir = undefined;
      }
      throw error;
    }
  }

  /** @throws TorError `ALLIUM_E_OBSOLETE` once the network requires what this version lacks (proposal 297: it must stop) */
  #requireUpToDate(): void {
    if (this.#obsolete !== undefined) throw this.#obsolete;
  }

  #isLive(): boolean {
    const { held } = this.#consensus;
    return held !== undefined && isLive(held, this.#now());
  }

  /** Whether the held consensus may be used, be it no longer valid. */
  #isTolerable(): boolean {
    const { held } = this.#consensus;
    return held !== undefined && isCurrent(held, this.#now());
  }

  /** Those of authorities whose signature was not needed: nothing depends on them for now. */
  async #completeCertificates(signal: AbortSignal): Promise<void> {
    try {
      await this.#consensus.completeCertificates(this.#asking(signal));
    } catch (error) {
      if (signal.aborted) throw error;
      this.#report("info", "directory-certificates-missing", "not all certificates can be had", error);
    }
  }

  // --- microdescriptors ----------------------------------------------------------------------------------------------

  /** Fulfilled when the view may be used, or when nothing more can be had. */
  async #enoughMicrodescriptors(signal: AbortSignal): Promise<TorError | undefined> {
    if (this.#isInUse()) {
      if (this.#missing().length > 0 && this.#completing === undefined)
        // Nobody waits for it: a client that closes meanwhile has nothing to hear.
        this.#completeMicrodescriptors(signal).catch(() => {});
      return undefined;
    }
    let enough: (none: undefined) => void = () => {};
    const early = new Promise<undefined>((resolve) => {
      enough = resolve;
    });
    return Promise.race([early, this.#completeMicrodescriptors(signal, () => enough(undefined))]);
  }

  /** Fetches what is missing of the held consensus's microdescriptors, stores it, and puts the view to use. */
  async #completeMicrodescriptors(
    signal: AbortSignal,
    onEnough: () => void = () => {},
  ): Promise<TorError | undefined> {
    // Another caller's fetch may outlast this one's wish to wait for it.
    while (this.#completing !== undefined) {
      const over = this.#completing.catch(() => {});
      await abortable(over, signal);
    }
    const completing = this.#fetchMicrodescriptors(signal, onEnough).finally(() => {
      this.#completing = undefined;
    });
    // A bootstrap that has enough does not wait for it.
    completing.catch(() => {});
    this.#completing = completing;
    return completing;
  }

  async #fetchMicrodescriptors(signal: AbortSignal, onEnough: () => void): Promise<TorError | undefined> {
    const wanted = this.#listedDigests();
    if (this.#missing().length > 0) await this.#microdescriptors.load(wanted);
    // Trying whether it is enough means reading the whole consensus: some ten times are enough of that.
    let nextTry = wanted.size * LEAST_DESCRIBED;
    const onPart = (still: number) => {
      this.#progress("microdescriptors", 1 - still / wanted.size);
      if (wanted.size - still < nextTry || this.#isInUse()) return;
      nextTry = wanted.size - still + wanted.size * TRY_STEP;
      // Stored before it is relied on: the next start should not have to fetch it again.
      if (this.#publish()) void this.#microdescriptors.save(wanted).finally(onEnough);
    };
    // A few that changed are cheaper through Tor.
    if (this.#snapshots !== undefined && this.#missing().length > wanted.size * SNAPSHOT_WORTH) {
      await this.#snapshots.microdescriptors(this.#microdescriptors, wanted, signal);
      onPart(this.#missing().length);
    }
    const failure = await this.#microdescriptors.fetch(wanted, onPart, this.#asking(signal));
    // A view that has all that is at hand stays the one in use.
    if (!this.#isInUse() || this.#netdir?.undescribed.length !== this.#missing().length) this.#publish();
    return failure;
  }

  #listedDigests(): Set<string> {
    if (this.#options.consensusOnly) return new Set();
    return new Set(this.#consensus.held?.routers.map(({ microdescriptor }) => microdescriptor));
  }

  #missing(): string[] {
    return this.#microdescriptors.missing(this.#listedDigests());
  }

  // --- the view ------------------------------------------------------------------------------------------------------

  /** Whether the view in use is of the held consensus. */
  #isInUse(): boolean {
    return this.#netdir !== undefined && this.#netdir.validAfter === this.#consensus.held?.validAfter;
  }

  /** Of use to a bridge before any microdescriptor is: it knows all relays' addresses. */
  #publishEarly(): void {
    if (this.#options.consensusOnly || this.#options.early) this.#publish();
  }

  /** Puts the held consensus to use if enough is known of its relays. @returns whether it is in use */
  #publish(): boolean {
    const { held } = this.#consensus;
    // What was still being fetched of an older one comes too late.
    if (held === undefined || this.#obsolete !== undefined) return false;
    const { consensusOnly, network, onNetDir, shortage } = this.#options;
    this.#microdescriptors.retain(this.#listedDigests());
    const netdir = makeNetDir(held, this.#microdescriptors.held, network);
    this.#lacking = consensusOnly ? undefined : shortage(netdir);
    if (this.#lacking !== undefined) return false;
    this.#netdir = netdir;
    onNetDir?.(netdir);
    return true;
  }

  #incomplete(): TorError {
    const message = `too few microdescriptors can be had: ${this.#lacking ?? "none"}`;
    return new TorError("no-path", "ALLIUM_E_DIRECTORY_INCOMPLETE", message);
  }

  /** Whom to ask: relays of the view in use, once there is one. */
  #asking(signal: AbortSignal): FetchOptions {
    const { netdir } = this;
    return { signal, netdir: netdir === undefined || netdir.relays.length === 0 ? undefined : netdir };
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  #now(): number {
    return this.#options.clock.now();
  }

  #nextConsensusTime(): number {
    const { held } = this.#consensus;
    if (held === undefined || !isLive(held, this.#now())) return this.#now();
    return this.#options.early ? nextEarlyFetchTime(held) : nextFetchTime(held);
  }

  /** From a quarter of the voting interval, or a minute, up to an interval or ten minutes. */
  #refreshPolicy(): RetryPolicy {
    const { held } = this.#consensus;
    const interval = held === undefined ? 3600_000 : held.freshUntil - held.validAfter;
    return {
      ...missingPolicy,
      initialDelay: Math.min(60_000, interval / 4),
      maxDelay: Math.min(600_000, interval),
    };
  }

  async #sleepUntil(time: number, signal: AbortSignal): Promise<void> {
    for (let left = time - this.#now(); left > 0; left = time - this.#now()) {
      await sleep(this.#options.clock, Math.min(left, LONGEST_SLEEP), signal);
    }
    // A bootstrap may have found it out meanwhile.
    this.#requireUpToDate();
  }

  // --- what others hear ----------------------------------------------------------------------------------------------

  #progress(phase: DirectoryProgress["phase"], fraction: number): void {
    this.#options.onProgress?.({ phase, fraction });
  }

  #report(level: LogLevel, code: string, message: string, error: unknown): void {
    this.#options.log?.({ level, code, message, data: { error: toTorError(error).code } });
  }
}

function notNewer(): TorError {
  return new TorError(
    "directory-expired",
    "ALLIUM_E_CONSENSUS_NOT_NEWER",
    "no directory cache has a newer consensus yet",
  );
}
