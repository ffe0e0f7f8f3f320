// Fetches one document from some directory cache, judges it, and asks another cache when that fails (dir-spec 5.5).
// A cache whose document is refused is blamed and not asked again while another one is left.

import { throwIfAborted, withTimeout } from "../base/abort.ts";
import { type RetryPolicy, retry } from "../base/backoff.ts";
import { TorError, type TorErrorKind, toTorError } from "../base/errors.ts";
import type { Clock, Log } from "../base/ports.ts";
import type { DirectoryConnection, DirectoryConnector, NetDir } from "./api.ts";
import { type DirectoryRequest, type DirectoryResponse, directoryGet } from "./http.ts";
import { isObsolete } from "./protocol-status.ts";

/** Milliseconds for one request, the connection included: 700 kB of consensus at 12 kB/s. */
const REQUEST_TIMEOUT = 60_000;

/**
 * Another cache is asked soon, the sixth try is some six seconds after the first. Each delay is drawn between the first one
 * and three times the last (dir-spec 5.5, proposal 306): clients that failed together do not come back together.
 */
export const downloadPolicy: RetryPolicy = {
  attempts: 6,
  initialDelay: 200,
  maxDelay: 5000,
  multiplier: 3,
  jitter: "decorrelated",
};

/** Errors that no other cache can mend. */
const FINAL: ReadonlySet<TorErrorKind> = new Set(["bad-api-usage", "clock-skew", "storage-denied"]);

export interface DownloaderOptions {
  readonly connector: DirectoryConnector;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** A try failed and another follows. */
  readonly onTrouble?: ((error: TorError) => void) | undefined;
}

/** One document to fetch. */
export interface Download<T> {
  readonly name: string;
  /** @param attempt 1 for the first cache asked */
  readonly request: (attempt: number) => DirectoryRequest;
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  /** Asked instead of the fallbacks where there is one. */
  readonly netdir: NetDir | undefined;
  /** The value of the document, or an error when the cache that served it did wrong. */
  judge(body: Uint8Array): Promise<T> | T;
}

const ABSENCES: ReadonlySet<string> = new Set([
  "ALLIUM_E_DIRECTORY_STATUS",
  "ALLIUM_E_CERTIFICATES_MISSING",
  "ALLIUM_E_MICRODESCRIPTORS_MISSING",
]);

/** Whether caches were reached and merely do not have what was wanted. */
export function isAbsence(error: TorError): boolean {
  return ABSENCES.has(error.code);
}

export class Downloader {
  readonly #options: DownloaderOptions;
  /** Caches that served something that was refused. */
  readonly #distrusted = new Set<string>();

  constructor(options: DownloaderOptions) {
    this.#options = options;
  }

  /** The judged document; undefined when a cache has nothing newer than `ifModifiedSince`. */
  fetch<T>(download: Download<T>): Promise<T | undefined> {
    const exclude = new Set(this.#distrusted);
    let failure: TorError | undefined;
    const options = {
      policy: download.policy,
      clock: this.#options.clock,
      signal: download.signal,
      retryable: (error: TorError) => !FINAL.has(error.kind) && !isObsolete(error),
      onRetry: (error: TorError) => this.#report(download.name, error),
    };
    return retry(options, async (attempt) => {
      try {
        return await this.#once(download, download.request(attempt), exclude);
      } catch (thrown) {
        const error = toTorError(thrown);
        if (error.kind !== "no-path" || exclude.size === 0) {
          failure = error;
          throw error;
        }
        // Every cache was tried: begin again with all of them, and say why the last one failed.
        exclude.clear();
        this.#distrusted.clear();
        throw failure ?? error;
      }
    });
  }

  async #once<T>(
    download: Download<T>,
    request: DirectoryRequest,
    exclude: Set<string>,
  ): Promise<T | undefined> {
    throwIfAborted(download.signal);
    const { connection, response } = await this.#request(download, request, exclude);
    try {
      if (response.status === 304 && request.ifModifiedSince !== undefined) {
        connection.done();
        return undefined;
      }
      if (response.status !== 200) {
        const message = `the directory cache answered ${response.status} when asked for ${download.name}`;
        throw new TorError("circuit-collapse", "ALLIUM_E_DIRECTORY_STATUS", message);
      }
      const value = await download.judge(response.body);
      connection.done();
      return value;
    } catch (thrown) {
      throw this.#blame(connection, exclude, thrown);
    }
  }

  /** Tells the connector what the cache did; a caller who gave up is nobody's fault. */
  #blame(connection: DirectoryConnection, exclude: Set<string>, thrown: unknown): TorError {
    const error = toTorError(thrown);
    if (error.kind === "aborted") {
      connection.done();
      return error;
    }
    exclude.add(connection.cache);
    if (error.kind === "protocol-violation" || error.kind === "consensus-unverified") {
      this.#distrusted.add(connection.cache);
    }
    connection.failed(error);
    return error;
  }

  async #request<T>(
    download: Download<T>,
    request: DirectoryRequest,
    exclude: Set<string>,
  ): Promise<{ connection: DirectoryConnection; response: DirectoryResponse }> {
    const { connector, clock } = this.#options;
    const error = () =>
      new TorError(
        "circuit-collapse",
        "ALLIUM_E_DIRECTORY_TIMEOUT",
        `fetching ${download.name} takes too long`,
      );
    const limit = { clock, ms: REQUEST_TIMEOUT, signal: download.signal, error };
    return withTimeout(limit, async (signal) => {
      const connection = await connector.open({ signal, exclude: new Set(exclude), netdir: download.netdir });
      try {
        const response = await directoryGet(connection.stream, request, { clock, signal });
        // Nobody waits any more, and the connection has to be finished here.
        throwIfAborted(signal);
        return { connection, response };
      } catch (thrown) {
        // The time being over aborts this signal too, and is the cache's fault.
        throw this.#blame(connection, exclude, signal.aborted ? signal.reason : thrown);
      }
    });
  }

  #report(name: string, error: TorError): void {
    this.#options.log?.({
      level: "info",
      code: "directory-retry",
      message: `fetching ${name} failed, another directory cache is asked`,
      data: { error: error.code },
    });
    this.#options.onTrouble?.(error);
  }
}
