// What the client knows of how long circuits take: learned, stored between runs, or fixed by the user.

import { fromUtf8, utf8 } from "../../base/encoding.ts";
import type { Log, Store } from "../../base/ports.ts";
import type { NetDir } from "../../directory/api.ts";
import { type BuildLimits, BuildTimeoutEstimator, MEASURED_HOPS } from "./estimator.ts";
import { type BuildTimes, parseBuildTimes } from "./history.ts";
import { buildTimeoutParams } from "./params.ts";

export interface BuildTimeoutOptions {
  readonly store: Store;
  /** Under which name the times are stored; each network has its own. */
  readonly key: string;
  readonly log?: Log | undefined;
  /** Milliseconds for a circuit of three hops, where the user wants no learning. */
  readonly fixed?: number | undefined;
}

/** The stored form's version; another one is refused, not guessed at. */
const VERSION = 1;
/** C tor writes the times down after each ten. */
const SAVE_EACH = 10;
/** A circuit of one hop takes what a link takes at the most (open-channel.ts), so that the next cache is asked soon. */
const ONE_HOP = 20_000;

export class BuildTimeouts {
  readonly #options: BuildTimeoutOptions;
  #params = buildTimeoutParams(undefined);
  #estimator = new BuildTimeoutEstimator(this.#params);
  #unsaved = 0;
  #saved: Promise<void> = Promise.resolve();

  constructor(options: BuildTimeoutOptions) {
    this.#options = options;
  }

  /** Reads the stored times. Those that cannot be read are learned anew. */
  async load(): Promise<void> {
    const { store, key, fixed } = this.#options;
    if (fixed !== undefined) return;
    const bytes = await store.get(key);
    if (bytes !== undefined) this.#estimator = new BuildTimeoutEstimator(this.#params, this.#parse(bytes));
  }

  /** Takes up the parameters of a consensus. */
  update(netdir: NetDir): void {
    this.#params = buildTimeoutParams(netdir);
    this.#estimator.setParams(this.#params);
  }

  /** For a circuit of `hops` hops, from the time that its channel is open. Ask again when the time is over. */
  limits(hops: number): BuildLimits {
    const { fixed } = this.#options;
    const { timeout, abandon } =
      fixed === undefined ? this.#estimator.limits(hops) : { timeout: fixed, abandon: fixed };
    if (hops >= MEASURED_HOPS) return { timeout, abandon };
    const one = Math.min(timeout, ONE_HOP);
    return { timeout: one, abandon: one };
  }

  /** See BuildTimeoutEstimator. */
  built(ms: number, options: { readonly late: boolean }): void {
    if (this.#options.fixed !== undefined) return;
    this.#estimator.built(ms, options);
    if (++this.#unsaved >= SAVE_EACH) void this.#save();
  }

  timedOut(options: { readonly firstHopDone: boolean }): void {
    if (this.#options.fixed === undefined) this.#estimator.timedOut(options);
  }

  /** Test circuits that are wanted: milliseconds between two, and how many may be open; undefined for none. */
  get tests(): { readonly interval: number; readonly maxOpen: number } | undefined {
    const interval = this.#options.fixed === undefined ? this.#estimator.testInterval : undefined;
    return interval === undefined ? undefined : { interval, maxOpen: this.#params.maxOpenCircuits };
  }

  /** Milliseconds for which an unused circuit is kept while times are wanting; undefined when they are not. */
  get unusedLifetime(): number | undefined {
    const learning = this.#options.fixed === undefined && this.#estimator.learning;
    return learning ? this.#params.learnIdleTime : undefined;
  }

  /** Fulfilled when everything is written down. */
  async flush(): Promise<void> {
    if (this.#unsaved > 0) void this.#save();
    await this.#saved;
  }

  #parse(bytes: Uint8Array): BuildTimes | undefined {
    try {
      const value: unknown = JSON.parse(fromUtf8(bytes));
      if ((value as { version?: unknown } | null)?.version === VERSION) return parseBuildTimes(value);
    } catch {
      // Said below, as for any other content that is not ours.
    }
    this.#warn("build-times.corrupt", "the stored circuit build times cannot be read; they are learned anew");
    return undefined;
  }

  #save(): Promise<void> {
    const { store, key } = this.#options;
    this.#unsaved = 0;
    const state = utf8(JSON.stringify({ version: VERSION, ...this.#estimator.export() }));
    this.#saved = this.#saved
      .then(() => store.lock(key, () => store.set(new Map([[key, state]]))))
      .catch(() => this.#warn("build-times.not-saved", "the circuit build times could not be stored"));
    return this.#saved;
  }

  #warn(code: string, message: string): void {
    this.#options.log?.({ level: "warn", code, message });
  }
}
