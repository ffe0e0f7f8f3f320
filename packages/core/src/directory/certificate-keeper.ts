// The authorities' key certificates at hand (dir-spec 3.1): read from the store, fetched as consensuses name new signing
// keys, forgotten when they expire. Not here: what a signature is worth (signatures.ts).

import { toTorError } from "../base/errors.ts";
import type { Consensus } from "./documents/consensus.ts";
import { type KeyCertificate, parseKeyCertificates } from "./documents/key-certificate.ts";
import { type Downloader, isAbsence } from "./download.ts";
import { type FetchOptions, fetchCertificates } from "./fetch-documents.ts";
import {
  countSignatures,
  missingCertificates,
  requireSignatures,
  type SigningKeyName,
  signaturesNeeded,
  signingKeyText,
} from "./signatures.ts";

export class CertificateKeeper {
  readonly #authorities: ReadonlySet<string>;
  readonly #downloader: Downloader;
  readonly #certificates = new Map<string, KeyCertificate>();

  /** @param authorities v3idents, upper-case */
  constructor(authorities: ReadonlySet<string>, downloader: Downloader) {
    this.#authorities = authorities;
    this.#downloader = downloader;
  }

  /** Takes stored certificates. @throws TorError when they are damaged; those before the damage are kept */
  load(bytes: Uint8Array | undefined): void {
    for (const one of parseKeyCertificates(bytes ?? new Uint8Array(0))) this.#take(one);
  }

  /** The documents of those that have not expired; the others are forgotten. */
  live(now: number): Uint8Array[] {
    for (const [key, { expires }] of this.#certificates) {
      if (expires < now) this.#certificates.delete(key);
    }
    return [...this.#certificates.values()].map(({ bytes }) => bytes);
  }

  /** @throws TorError `consensus-unverified` unless more than half of the authorities signed */
  requireSignatures(consensus: Consensus, now: number): void {
    requireSignatures(consensus, this.#authorities, this.#certificates.values(), now);
  }

  /** Fetches what is needed to verify a consensus; whether it suffices is judged with the signatures. */
  async fetchNeeded(consensus: Consensus, now: number, options: FetchOptions): Promise<void> {
    const needed = signaturesNeeded(this.#authorities);
    const count = () => countSignatures(consensus, this.#authorities, this.#certificates.values(), now);
    const signers = new Set(consensus.signatures.map(({ identity }) => identity));
    const believed = [...signers].filter((identity) => this.#authorities.has(identity));
    if (believed.length < needed || count() >= needed) return;
    await this.#fetch(consensus, now, () => count() >= needed, options);
  }

  /**
   * Fetches the certificates of the other signers too, so that the next consensus is believed at once when some
   * authorities fail or change their keys. @returns whether anything was added
   */
  async fetchMissing(consensus: Consensus, now: number, options: FetchOptions): Promise<boolean> {
    const before = this.#certificates.size;
    await this.#fetch(consensus, now, () => false, options);
    return this.#certificates.size > before;
  }

  async #fetch(
    consensus: Consensus,
    now: number,
    enough: () => boolean,
    options: FetchOptions,
  ): Promise<void> {
    const missing = (): SigningKeyName[] =>
      missingCertificates(consensus, this.#authorities, this.#certificates.values(), now);
    const wanted = missing();
    if (wanted.length === 0) return;
    const done = () => enough() || missing().length === 0;
    try {
      await fetchCertificates(this.#downloader, wanted, (one) => this.#take(one), done, options);
    } catch (error) {
      // Keys that no cache knows are those of whoever made this consensus up.
      if (!isAbsence(toTorError(error))) throw error;
    }
  }

  #take(certificate: KeyCertificate): void {
    if (!this.#authorities.has(certificate.identity)) return;
    this.#certificates.set(signingKeyText(certificate), certificate);
  }
}
