// What is asked of directory caches, and what of their answers is kept: consensus, key certificates, microdescriptors
// (dir-spec appendix B for the paths, 5.1 to 5.3 for how they are asked).

import type { RetryPolicy } from "../base/backoff.ts";
import { protocolViolation, TorError, toTorError } from "../base/errors.ts";
import { shuffled } from "../base/random.ts";
import type { NetDir } from "./api.ts";
import { type KeyCertificate, parseKeyCertificates } from "./documents/key-certificate.ts";
import { microdescriptorDigest, splitMicrodescriptors } from "./documents/microdescriptor.ts";
import { type Downloader, downloadPolicy, isAbsence } from "./download.ts";
import { type Lifetime, modifiedSince } from "./lifetime.ts";
import { type SigningKeyName, signingKeyText } from "./signatures.ts";

/** The public network's consensus has 3.5 MB; the bound is C tor's and arti's. */
export const MAX_CONSENSUS = 16 * 1024 * 1024 - 1;
export const MAX_CERTIFICATE = 16 * 1024;
/** On average; the largest of the public network, with its family, has 17 kB. */
const MAX_MICRODESCRIPTOR = 16 * 1024;
const MICRODESCRIPTORS_ROOM = 64 * 1024;

/** dir-spec 5.2 and appendix B: 96 at the most, as squid limits a URL's length. */
const MOST_IN_REQUEST = 90;
/** Below this a request is not worth dividing further. */
const LEAST_IN_REQUEST = 16;
/** Requests at once, over several caches. */
const PARALLEL = 4;
/** Times that all missing microdescriptors are asked for. */
const ROUNDS = 4;

/** A part of a bootstrap that has its own retries around it is tried less often. */
const innerPolicy: RetryPolicy = { ...downloadPolicy, attempts: 3 };

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly netdir: NetDir | undefined;
}

/** The consensus that a newer one is wanted for. */
export interface ConsensusBase {
  readonly lifetime: Lifetime;
  /** Its document and the SHA3-256 of its signed part in hex, where the cache may send a difference to it. */
  readonly document?: { readonly bytes: Uint8Array; readonly digest: string };
}

/**
 * The newest consensus that the authorities signed, judged by `judge`; undefined when there is none newer than `base`.
 * `judge` is given a difference (dir-spec 4.5) only in the first try: after a bad one the whole is asked for.
 */
export function fetchConsensus<T>(
  downloader: Downloader,
  authorities: ReadonlySet<string>,
  base: ConsensusBase | undefined,
  judge: (body: Uint8Array) => Promise<T>,
  options: FetchOptions,
): Promise<T | undefined> {
  // Three bytes of each fingerprint in ascending order, as C tor asks (dir-spec appendix B).
  const list = [...authorities].sort().map((identity) => identity.slice(0, 6));
  return downloader.fetch({
    name: "the consensus",
    request: (attempt) => ({
      path: `/tor/status-vote/current/consensus-microdesc/${list.join("+")}`,
      ifModifiedSince: base === undefined ? undefined : modifiedSince(base.lifetime),
      diffFrom: attempt === 1 ? base?.document?.digest : undefined,
      maxLength: MAX_CONSENSUS,
    }),
    policy: downloadPolicy,
    judge,
    ...options,
  });
}

/**
 * Fetches certificates and hands each that was asked for to `take`, until `enough()`.
 * @throws TorError when no cache has enough of them
 */
export async function fetchCertificates(
  downloader: Downloader,
  wanted: readonly SigningKeyName[],
  take: (certificate: KeyCertificate) => void,
  enough: () => boolean,
  options: FetchOptions,
): Promise<void> {
  const names = wanted.map(signingKeyText).sort();
  const asked = new Set(names);
  await downloader.fetch({
    name: "the authorities' certificates",
    request: () => ({
      path: `/tor/keys/fp-sk/${names.join("+")}`,
      maxLength: MAX_CERTIFICATE * names.length,
    }),
    policy: innerPolicy,
    judge(body) {
      for (const certificate of parseKeyCertificates(body)) {
        if (!asked.has(signingKeyText(certificate))) throw unrequested("a key certificate");
        take(certificate);
      }
      if (!enough()) {
        const message = "the directory cache lacks certificates that are needed";
        throw new TorError("circuit-collapse", "ALLIUM_E_CERTIFICATES_MISSING", message);
      }
    },
    ...options,
  });
}

/**
 * Fetches microdescriptors in random parts from several caches and hands each to `take`; `partDone` follows each part.
 * What could not be had is simply not handed over; the last failure is returned then.
 */
export async function fetchMicrodescriptors(
  downloader: Downloader,
  wanted: readonly string[],
  take: (digest: string, bytes: Uint8Array) => void,
  partDone: () => void,
  options: FetchOptions,
): Promise<TorError | undefined> {
  const missing = new Set(wanted);
  let failure: TorError | undefined;
  for (let round = 0; round < ROUNDS && missing.size > 0; round++) {
    const before = missing.size;
    const parts = divided(shuffled([...missing]));
    const work = async () => {
      for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
        await fetchPart(downloader, part, missing, take, options).finally(partDone);
      }
    };
    for (const result of await Promise.allSettled(Array.from({ length: PARALLEL }, work))) {
      if (result.status === "fulfilled") continue;
      const error = toTorError(result.reason);
      if (!isAbsence(error)) failure = error;
    }
    if (failure?.kind === "aborted") throw failure;
    // Nobody has what is left: another round would be the same.
    if (missing.size === before) break;
  }
  return missing.size === 0 ? undefined : failure;
}

function divided(digests: readonly string[]): string[][] {
  const size = Math.max(LEAST_IN_REQUEST, Math.min(MOST_IN_REQUEST, Math.ceil(digests.length / PARALLEL)));
  const parts: string[][] = [];
  for (let at = 0; at < digests.length; at += size) parts.push(digests.slice(at, at + size));
  return parts;
}

async function fetchPart(
  downloader: Downloader,
  part: readonly string[],
  missing: Set<string>,
  take: (digest: string, bytes: Uint8Array) => void,
  options: FetchOptions,
): Promise<void> {
  const asked = new Set(part);
  await downloader.fetch({
    name: "microdescriptors",
    request: () => ({
      path: `/tor/micro/d/${part.join("-")}`,
      maxLength: MICRODESCRIPTORS_ROOM + MAX_MICRODESCRIPTOR * part.length,
    }),
    policy: innerPolicy,
    judge(body) {
      const served = new Set<string>();
      for (const bytes of splitMicrodescriptors(body)) {
        const digest = microdescriptorDigest(bytes);
        if (!asked.has(digest)) throw unrequested("a microdescriptor");
        served.add(digest);
        if (missing.delete(digest)) take(digest, bytes);
      }
      // An honest cache lacks a few. One that holds them back would be asked again and again, if that were no failure.
      if (2 * served.size < part.length) {
        const message = "the directory cache lacks most of the microdescriptors that it was asked for";
        throw new TorError("circuit-collapse", "ALLIUM_E_MICRODESCRIPTORS_MISSING", message);
      }
    },
    ...options,
  });
}

function unrequested(what: string): TorError {
  return protocolViolation(
    "ALLIUM_E_UNREQUESTED_DOCUMENT",
    `the directory cache sent ${what} that nobody asked for`,
  );
}
