// Keeps a verified view of the network: from the store at start, from directory caches at bootstrap, and fresh after that
// (dir-spec 5.1 to 5.3). The one place where a document becomes something to rely on.
// Not in this room: choosing relays, opening circuits. Not yet here: consensus diffs, the 60 % path rule, directory guards.

import { abortError, sleep } from "../base/abort.ts";
import { type RetryPolicy, retryDelay } from "../base/backoff.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { Clock, Log, LogLevel, Store } from "../base/ports.ts";
import type { DirectoryConnector, NetDir, NetworkConfig } from "./api.ts";
import { DirectoryCache } from "./cache.ts";
import { type Consensus, parseConsensus } from "./documents/consensus.ts";
import { type KeyCertificate, parseKeyCertificates } from "./documents/key-certificate.ts";
import {
  type Microdescriptor,
  MicrodescriptorPool,
  parseMicrodescriptor,
} from "./documents/microdescriptor.ts";
import { Downloader, isAbsence } from "./download.ts";
import { fetchCertificates, fetchConsensus, fetchMicrodescriptors } from "./fetch-documents.ts";
import {
  isCurrent,
  isLive,
  nextEarlyFetchTime,
  nextFetchTime,
  requireCurrent,
  requireImplemented,
} from "./lifetime.ts";
import { makeNetDir } from "./netdir.ts";
import {
  configuredAuthorities,
  countSignatures,
  missingCertificates,
  requireSignatures,
  signaturesNeeded,
  signingKeyText,
} from "./signatures.ts";

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
  /** For bridges: no microdescriptors, and the next consensus early, as caches fetch it. The NetDir has no relays then. */
  readonly consensusOnly?: boolean;
  readonly onProgress?: (progress: DirectoryProgress) => void;
  /** A try failed and another follows. */
  readonly onTrouble?: (error: TorError) => void;
  /** A new view is in use. */
  readonly onNetDir?: (netdir: NetDir) => void;
}

/** A view is of use once this part of the listed relays' microdescriptors is at hand. */
const ENOUGH_MICRODESCRIPTORS = 0.95;

/** A sleep is cut into pieces of this length (ms), because timers stand still while a device sleeps. */
const LONGEST_SLEEP = 60_000;

/** dir-spec 5.2: microdescriptors that could not be had are asked for again after 1, then up to 10 minutes. */
const missingPolicy: RetryPolicy = {
  attempts: Number.POSITIVE_INFINITY,
  initialDelay: 60_000,
  maxDelay: 600_000,
  multiplier: 2,
  jitter: 0.25,
};

export class DirectoryManager {
  readonly #options: DirectoryManagerOptions;
  readonly #authorities: ReadonlySet<string>;
  readonly #cache: DirectoryCache;
  readonly #downloader: Downloader;
  readonly #certificates = new Map<string, KeyCertificate>();
  #microdescriptors = new Map<string, Microdescriptor | null>();
  #consensus: Consensus | undefined;
  /** valid-after of the newest consensus ever verified for this network. */
  #floor = 0;
  #netdir: NetDir | undefined;
  #loaded = false;

  constructor(options: DirectoryManagerOptions) {
    this.#options = options;
    const { network, connector, store, clock, log, onTrouble } = options;
    this.#authorities = configuredAuthorities(network);
    this.#cache = new DirectoryCache(store, this.#authorities, log);
    this.#downloader = new Downloader({ connector, clock, log, onTrouble });
  }

  /** The view in use; undefined before there is one and after it has expired by more than is tolerated. */
  get netdir(): NetDir | undefined {
    const netdir = this.#netdir;
    return netdir !== undefined && isCurrent(netdir, this.#now()) ? netdir : undefined;
  }

  /** Takes what the store holds, verified anew. @returns whether that suffices for a view of the network */
  async load(): Promise<boolean> {
    this.#loaded = true;
    const { floor, consensus, certificates } = await this.#cache.load();
    this.#floor = Math.max(this.#floor, floor);
    this.#loadCertificates(certificates);
    if (consensus !== undefined) await this.#loadConsensus(consensus);
    if (this.#consensus === undefined) return false;
    if (!this.#options.consensusOnly) {
      const wanted = this.#listedDigests();
      const pool = new MicrodescriptorPool();
      await this.#cache.loadMicrodescriptors((digest, bytes) => {
        if (wanted.has(digest)) this.#takeMicrodescriptor(digest, bytes, pool);
      });
    }
    return this.#publish();
  }

  /**
   * A view of the network: the stored one where it is still valid, a fetched one otherwise.
   * @throws TorError why there is none: of the last try, once all have failed
   */
  async bootstrap({ signal }: { readonly signal: AbortSignal }): Promise<NetDir> {
    if (!this.#loaded) await this.load();
    if (this.#consensus === undefined || !isLive(this.#consensus, this.#now())) {
      await this.#bootstrapConsensus(signal);
    }
    const failure = await this.#completeMicrodescriptors(signal);
    const { netdir } = this;
    if (netdir !== undefined && netdir.validAfter === this.#consensus?.validAfter) return netdir;
    throw failure ?? this.#incomplete();
  }

  /** Follows the network until the signal aborts: fetches each next consensus when it is time. Never rejects. */
  async keepFresh(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let rounds = 0;
    let consensusAt = this.#nextConsensusTime();
    let missingAt = this.#nextMissingTime(rounds);
    while (!signal.aborted) {
      try {
        await this.#sleepUntil(Math.min(consensusAt, missingAt), signal);
        if (this.#now() >= consensusAt) {
          if (!(await this.#refreshConsensus(signal))) throw notNewer();
          failures = 0;
          rounds = 0;
          consensusAt = this.#nextConsensusTime();
        }
        await this.#completeMicrodescriptors(signal);
        missingAt = this.#nextMissingTime(rounds++);
      } catch (thrown) {
        if (signal.aborted) return;
        this.#report(
          "warn",
          "directory-refresh-failed",
          "the directory could not be brought up to date",
          thrown,
        );
        consensusAt = this.#now() + retryDelay(this.#refreshPolicy(), ++failures);
      }
    }
  }

  // --- consensus -----------------------------------------------------------------------------------------------------

  /** A new consensus, or the held one when it is not valid any more but still tolerated. */
  async #bootstrapConsensus(signal: AbortSignal): Promise<void> {
    this.#progress("consensus", 0);
    try {
      if (!(await this.#refreshConsensus(signal)) && !this.#isTolerable()) throw notNewer();
    } catch (error) {
      if (signal.aborted) throw abortError(signal);
      if (!this.#isTolerable()) throw error;
      this.#report(
        "warn",
        "directory-consensus-old",
        "no newer consensus can be had; the old one is used",
        error,
      );
    }
    this.#progress("consensus", 1);
  }

  /** Whether the held consensus may be used, be it no longer valid. */
  #isTolerable(): boolean {
    return this.#consensus !== undefined && isCurrent(this.#consensus, this.#now());
  }

  /** Fetches a consensus newer than the one held. @returns whether there is one */
  async #refreshConsensus(signal: AbortSignal): Promise<boolean> {
    const fetched = await fetchConsensus(
      this.#downloader,
      this.#authorities,
      this.#consensus,
      async (body) => {
        const consensus = parseConsensus(body);
        await this.#fetchCertificates(consensus, signal);
        this.#requireBelievable(consensus);
        return { consensus, body };
      },
      { signal, netdir: this.#askable() },
    );
    if (fetched === undefined) return false;
    const { consensus, body } = fetched;
    if (consensus.validAfter === this.#consensus?.validAfter) return false;
    this.#consensus = consensus;
    this.#floor = consensus.validAfter;
    await this.#cache.saveConsensus(consensus.validAfter, body, this.#liveCertificates());
    if (this.#options.consensusOnly) this.#publish();
    return true;
  }

  /** @throws TorError unless the authorities signed it, it is of today, and it is not older than the one held */
  #requireBelievable(consensus: Consensus): void {
    requireSignatures(consensus, this.#authorities, this.#certificates.values(), this.#now());
    requireCurrent(consensus, this.#now());
    if (consensus.validAfter < this.#floor) {
      const message = "the directory cache serves an older consensus than the one seen before";
      throw new TorError("directory-expired", "ALLIUM_E_CONSENSUS_ROLLBACK", message);
    }
    requireImplemented(consensus.requiredClientProtocols);
  }

  /** Fetches the certificates that a consensus needs; whether they suffice is judged with the signatures. */
  async #fetchCertificates(consensus: Consensus, signal: AbortSignal): Promise<void> {
    const needed = signaturesNeeded(this.#authorities);
    const held = () => this.#certificates.values();
    const enough = () => countSignatures(consensus, this.#authorities, held(), this.#now()) >= needed;
    const missing = () => missingCertificates(consensus, this.#authorities, held(), this.#now());
    const wanted = missing();
    const signers = new Set(consensus.signatures.map(({ identity }) => identity));
    const hopeless = [...signers].filter((identity) => this.#authorities.has(identity)).length < needed;
    if (wanted.length === 0 || hopeless || enough()) return;
    this.#progress("certificates", 0);
    try {
      await fetchCertificates(
        this.#downloader,
        wanted,
        (certificate) => this.#takeCertificate(certificate),
        () => enough() || missing().length === 0,
        { signal, netdir: this.#askable() },
      );
    } catch (error) {
      // Keys that no cache knows are those of whoever made this consensus up.
      if (!isAbsence(toTorError(error))) throw error;
    }
    this.#progress("certificates", 1);
  }

  #takeCertificate(certificate: KeyCertificate): void {
    if (this.#authorities.has(certificate.identity)) {
      this.#certificates.set(signingKeyText(certificate), certificate);
    }
  }

  /** Those that have not expired; the others are forgotten. */
  #liveCertificates(): Uint8Array[] {
    for (const [key, { expires }] of this.#certificates) {
      if (expires < this.#now()) this.#certificates.delete(key);
    }
    return [...this.#certificates.values()].map(({ bytes }) => bytes);
  }

  #loadCertificates(bytes: Uint8Array | undefined): void {
    try {
      for (const one of parseKeyCertificates(bytes ?? new Uint8Array(0))) this.#takeCertificate(one);
    } catch (error) {
      this.#report("warn", "directory-cache-damaged", "stored key certificates are damaged", error);
    }
  }

  async #loadConsensus(bytes: Uint8Array): Promise<void> {
    try {
      const consensus = parseConsensus(bytes);
      this.#requireBelievable(consensus);
      this.#consensus = consensus;
      this.#floor = consensus.validAfter;
    } catch (error) {
      this.#report("info", "directory-cache-refused", "the stored consensus is not used", error);
      // One that only the clock speaks against stays: the clock may be what is wrong.
      if (toTorError(error).kind !== "clock-skew") await this.#cache.dropConsensus();
    }
  }

  // --- microdescriptors ----------------------------------------------------------------------------------------------

  /** Fetches what is missing of the held consensus's microdescriptors, stores it, and puts the view to use. */
  async #completeMicrodescriptors(signal: AbortSignal): Promise<TorError | undefined> {
    const wanted = this.#listedDigests();
    const missing = this.#missing();
    let failure: TorError | undefined;
    if (missing.length > 0) {
      const added: Uint8Array[] = [];
      const pool = new MicrodescriptorPool();
      const take = (digest: string, bytes: Uint8Array) => {
        this.#takeMicrodescriptor(digest, bytes, pool);
        added.push(bytes);
        this.#progress("microdescriptors", 1 - (missing.length - added.length) / wanted.size);
      };
      try {
        const options = { signal, netdir: this.#askable() };
        failure = await fetchMicrodescriptors(this.#downloader, missing, take, options);
      } finally {
        // What came before an abort need not be fetched again.
        if (added.length > 0) await this.#cache.addMicrodescriptors(added, wanted);
      }
    }
    // A view of this consensus that already has everything stays the one in use.
    if (missing.length > 0 || this.#netdir?.validAfter !== this.#consensus?.validAfter) this.#publish();
    return failure;
  }

  #takeMicrodescriptor(digest: string, bytes: Uint8Array, pool: MicrodescriptorPool): void {
    let parsed: Microdescriptor | null = null;
    try {
      parsed = parseMicrodescriptor(bytes, pool);
    } catch (error) {
      // The digest says that the authorities wrote it so: no cache is to blame, and no other has a better one.
      this.#report("debug", "directory-bad-microdescriptor", "a microdescriptor cannot be read", error);
    }
    this.#microdescriptors.set(digest, parsed);
  }

  #listedDigests(): Set<string> {
    if (this.#options.consensusOnly) return new Set();
    return new Set(this.#consensus?.routers.map(({ microdescriptor }) => microdescriptor));
  }

  #missing(): string[] {
    return [...this.#listedDigests()].filter((digest) => !this.#microdescriptors.has(digest));
  }

  // --- the view ------------------------------------------------------------------------------------------------------

  /** Puts the held consensus to use if enough is known of its relays. @returns whether it is in use */
  #publish(): boolean {
    const consensus = this.#consensus;
    if (consensus === undefined) return false;
    const wanted = this.#listedDigests();
    if (this.#missing().length > (1 - ENOUGH_MICRODESCRIPTORS) * wanted.size) return false;
    // Relays that are not listed any more are forgotten here.
    this.#microdescriptors = new Map([...this.#microdescriptors].filter(([digest]) => wanted.has(digest)));
    this.#netdir = makeNetDir(consensus, this.#microdescriptors, this.#options.network);
    this.#options.onNetDir?.(this.#netdir);
    return true;
  }

  /** A view whose relays may be asked, for the connector. */
  #askable(): NetDir | undefined {
    const { netdir } = this;
    return netdir === undefined || netdir.relays.length === 0 ? undefined : netdir;
  }

  #incomplete(): TorError {
    const listed = this.#listedDigests().size;
    const message = `only ${listed - this.#missing().length} of ${listed} microdescriptors can be had`;
    return new TorError("no-path", "ALLIUM_E_DIRECTORY_INCOMPLETE", message);
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  #now(): number {
    return this.#options.clock.now();
  }

  #nextConsensusTime(): number {
    const consensus = this.#consensus;
    if (consensus === undefined || !isLive(consensus, this.#now())) return this.#now();
    return this.#options.consensusOnly ? nextEarlyFetchTime(consensus) : nextFetchTime(consensus);
  }

  #nextMissingTime(rounds: number): number {
    if (this.#missing().length === 0) return Number.POSITIVE_INFINITY;
    return this.#now() + retryDelay(missingPolicy, rounds + 1);
  }

  /** A quarter of the voting interval up to a minute, then up to an interval or ten minutes. */
  #refreshPolicy(): RetryPolicy {
    const interval =
      this.#consensus === undefined ? 3600_000 : this.#consensus.freshUntil - this.#consensus.validAfter;
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
