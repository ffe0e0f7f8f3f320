// The guard sample in the Store: written whole, under the Store's lock, in the order in which it changed. Clients that share a
// Store share one sample: who finds that another one wrote meanwhile takes that over. What cannot be read is set aside.

import { fromUtf8, toHex, utf8 } from "../base/encoding.ts";
import type { Store } from "../base/ports.ts";
import { randomBytes } from "../base/random.ts";
import { densely, type GuardRecord, type GuardState, parseGuardState } from "./guards/state.ts";

/** The stored form's versions; another one is refused, not guessed at. The first had neither epoch nor revision. */
const VERSIONS: readonly unknown[] = [1, 2];

/** What tells one writing from another. */
interface Written {
  /** Another one after the sample was imported or reset: nothing of before is to come back. */
  readonly epoch: string;
  /** Counts the writings of an epoch. */
  readonly revision: number;
}

interface Stored extends Written {
  readonly state: GuardState;
}

const NEVER: Written = { epoch: "", revision: 0 };

export class GuardStore {
  readonly #store: Store;
  readonly #key: string;
  readonly #warn: (code: string, message: string) => void;
  #seen: Written = NEVER;
  #last: Promise<unknown> = Promise.resolve();
  #replacements = 0;
  #isFailing = false;

  constructor(store: Store, key: string, warn: (code: string, message: string) => void) {
    this.#store = store;
    this.#key = key;
    this.#warn = warn;
  }

  /** The stored sample, if there is one that can be read. @throws TorError `storage-denied` */
  async load(): Promise<GuardState | undefined> {
    const bytes = await this.#store.get(this.#key);
    if (bytes === undefined) return undefined;
    const stored = parse(bytes);
    if (stored !== undefined) {
      this.#seen = stored;
      return stored.state;
    }
    const entries: [string, Uint8Array | undefined][] = [
      [`${this.#key}.corrupt`, bytes],
      [this.#key, undefined],
    ];
    this.#warn("guards.corrupt", "the stored guards cannot be read; they are set aside");
    await this.#store.set(new Map(entries)).catch(() => this.#ended(false));
    return undefined;
  }

  /**
   * Stores the sample as `ours` gives it then. Where another client wrote since, `take` is given what both come to before
   * that is stored. A store that fails costs persistence, not service.
   * @returns whether it is stored
   */
  write(ours: () => GuardState, take: (state: GuardState) => void): Promise<boolean> {
    const begun = this.#replacements;
    return this.#inTurn(async () => {
      const bytes = await this.#store.get(this.#key);
      // What replaces all this is stored next, and must not be mixed with what was before.
      if (this.#replacements !== begun) return;
      const stored = bytes === undefined ? undefined : parse(bytes);
      if (
        stored !== undefined &&
        (stored.epoch !== this.#seen.epoch || stored.revision !== this.#seen.revision)
      ) {
        take(
          stored.epoch === this.#seen.epoch || this.#seen === NEVER
            ? merged(stored.state, ours())
            : stored.state,
        );
        this.#seen = stored;
      }
      await this.#put({ ...this.#seen, revision: this.#seen.revision + 1 }, ours());
    });
  }

  /** Stores a sample that has nothing to do with the one before. @returns whether it is stored */
  replace(ours: () => GuardState): Promise<boolean> {
    this.#replacements++;
    return this.#inTurn(() => this.#put({ epoch: toHex(randomBytes(8)), revision: 1 }, ours()));
  }

  /** Fulfilled when everything is written down. */
  async flush(): Promise<void> {
    await this.#last;
  }

  async #put(written: Written, state: GuardState): Promise<void> {
    const { epoch, revision } = written;
    const text = JSON.stringify({ version: VERSIONS.at(-1), epoch, revision, ...state });
    await this.#store.set(new Map([[this.#key, utf8(text)]]));
    this.#seen = { epoch, revision };
  }

  #inTurn(work: () => Promise<void>): Promise<boolean> {
    const done = this.#last
      .then(() => this.#store.lock(this.#key, work))
      .then(
        () => this.#ended(true),
        () => this.#ended(false),
      );
    this.#last = done;
    return done;
  }

  /** A store that goes on failing is complained of once. */
  #ended(isStored: boolean): boolean {
    if (!isStored && !this.#isFailing) this.#warn("guards.not-saved", "the guards could not be stored");
    this.#isFailing = !isStored;
    return isStored;
  }
}

function parse(bytes: Uint8Array): Stored | undefined {
  try {
    const value = JSON.parse(fromUtf8(bytes)) as Record<string, unknown> | null;
    if (!VERSIONS.includes(value?.version)) return undefined;
    const { epoch = "", revision = 0 } = value as Record<string, unknown>;
    if (typeof epoch !== "string" || !Number.isSafeInteger(revision)) return undefined;
    return { epoch, revision: revision as number, state: parseGuardState(value) };
  } catch {
    return undefined;
  }
}

/** The other's sample, with what we know of its guards, and those of ours that carried a circuit behind it. */
function merged(theirs: GuardState, ours: GuardState): GuardState {
  const known = new Map(ours.guards.map((record) => [record.fingerprint, record]));
  const guards = theirs.guards.map((record) => newer(record, known.get(record.fingerprint)));
  const listed = new Set(guards.map(({ fingerprint }) => fingerprint));
  const proven = ours.guards.filter(({ confirmed, fingerprint }) => confirmed && !listed.has(fingerprint));
  return { last_updated: theirs.last_updated, guards: densely([...guards, ...proven]) };
}

/** Of two records of one guard the one that knows more; their dates differ by chance alone. */
function newer(theirs: GuardRecord, ours: GuardRecord | undefined): GuardRecord {
  if (ours === undefined || theirs.disabled) return theirs;
  if (ours.disabled || ours.confirmed !== theirs.confirmed)
    return ours.disabled || ours.confirmed ? ours : theirs;
  const attempts = (record: GuardRecord) => record.pb_circ_attempts ?? 0;
  return attempts(ours) > attempts(theirs) ? ours : theirs;
}
