// The directory's documents in the Store, kept per network. What comes out of here was merely stored: the manager
// verifies all of it again. Microdescriptors lie in packs, which are appended and now and then written anew.

import { settledWithin } from "../base/abort.ts";
import { concat } from "../base/bytes.ts";
import { fromLatin1, fromUtf8, toHex, utf8 } from "../base/encoding.ts";
import { toTorError } from "../base/errors.ts";
import type { Clock, Log, Store } from "../base/ports.ts";
import { sha256 } from "../crypto/hash.ts";
import { eachMicrodescriptor } from "./documents/microdescriptor.ts";

/** Milliseconds that anybody waits for a writing. */
const LONGEST_SAVE = 20_000;

/** Bytes of a pack, about: few values in the store, none of them huge. */
const PACK_SIZE = 4 * 1024 * 1024;
/** More packs than this, or more dead entries than living ones, and all are written anew. */
const MAX_PACKS = 48;

interface Pack {
  readonly id: number;
  readonly entries: number;
}

/** What a start finds. */
export interface StoredDirectory {
  /** Milliseconds since the epoch: no consensus older than this is believed. */
  readonly floor: number;
  readonly consensus: Uint8Array | undefined;
  readonly certificates: Uint8Array | undefined;
}

export class DirectoryCache {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  readonly #complaints = new Set<string>();

  /** @param authorities v3idents, upper-case: they are what tells one network from another */
  constructor(store: Store, authorities: ReadonlySet<string>, clock: Clock, log?: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#prefix = `directory/${toHex(sha256(utf8([...authorities].sort().join()))).slice(0, 16)}/`;
    this.#log = log;
  }

  /** Everything but the microdescriptors. Storage that fails counts as empty. */
  async load(): Promise<StoredDirectory> {
    const [floor, consensus, certificates] = await Promise.all(
      ["floor", "consensus", "certificates"].map((name) => this.#get(name)),
    );
    return { floor: parseFloor(floor), consensus, certificates };
  }

  /** valid-after of the newest consensus that this or another tab stored; 0 for none. */
  async floor(): Promise<number> {
    return parseFloor(await this.#get("floor"));
  }

  /** The stored consensus. */
  consensus(): Promise<Uint8Array | undefined> {
    return this.#get("consensus");
  }

  /** Hands over every stored microdescriptor with the digest of its bytes. A damaged pack is left out. */
  async loadMicrodescriptors(take: (digest: string, bytes: Uint8Array) => void): Promise<void> {
    try {
      for (const pack of await this.#packs()) await this.#readPack(pack, take);
    } catch (error) {
      this.#complain("directory-cache-unreadable", error);
    }
  }

  /** Stores a verified consensus, all certificates, and the new floor, at once. */
  async saveConsensus(validAfter: number, consensus: Uint8Array, certificates: readonly Uint8Array[]) {
    await this.#save(async () => {
      const floor = parseFloor(await this.#store.get(`${this.#prefix}floor`));
      const entries: [string, Uint8Array][] = [["floor", utf8(String(Math.max(floor, validAfter)))]];
      // Another tab may have stored a newer one in the meantime.
      if (validAfter >= floor)
        entries.push(["consensus", consensus], ["certificates", concat(...certificates)]);
      return new Map(entries);
    });
  }

  /** Stores certificates that came later than the consensus. */
  async saveCertificates(certificates: readonly Uint8Array[]): Promise<void> {
    await this.#save(async () => new Map([["certificates", concat(...certificates)]]));
  }

  /** Forgets a consensus that turned out not to be believed; the floor stays. */
  async dropConsensus(): Promise<void> {
    await this.#save(async () => new Map([["consensus", undefined]]));
  }

  /** Adds microdescriptors, at once; `live` are the digests that are still of use. */
  async addMicrodescriptors(added: readonly Uint8Array[], live: ReadonlySet<string>): Promise<void> {
    await this.#save(async () => {
      const packs = await this.#packs();
      const stored = packs.reduce((sum, pack) => sum + pack.entries, added.length);
      const rewrite = packs.length >= MAX_PACKS || stored > 2 * live.size + 64;
      const kept = rewrite ? await this.#living(packs, live) : [];
      const entries = new Map<string, Uint8Array | undefined>();
      if (rewrite) for (const { id } of packs) entries.set(packName(id), undefined);
      const next = packs.reduce((most, { id }) => Math.max(most, id + 1), 0);
      const fresh = inPacks([...kept, ...added], next);
      for (const { id, bytes } of fresh) entries.set(packName(id), bytes);
      const index = [...(rewrite ? [] : packs), ...fresh.map(({ id, entries }) => ({ id, entries }))];
      return entries.set("microdescriptors", utf8(JSON.stringify(index)));
    });
  }

  async #get(name: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#store.get(this.#prefix + name);
    } catch (error) {
      this.#complain("directory-cache-unreadable", error);
      return undefined;
    }
  }

  async #living(packs: readonly Pack[], live: ReadonlySet<string>): Promise<Uint8Array[]> {
    const kept = new Map<string, Uint8Array>();
    for (const pack of packs) {
      await this.#readPack(pack, (digest, bytes) => {
        if (live.has(digest)) kept.set(digest, bytes);
      });
    }
    return [...kept.values()];
  }

  async #packs(): Promise<Pack[]> {
    const bytes = await this.#store.get(`${this.#prefix}microdescriptors`);
    if (bytes === undefined) return [];
    try {
      const packs: unknown = JSON.parse(fromUtf8(bytes));
      if (Array.isArray(packs) && packs.every(isPack)) return packs;
    } catch {
      // Reported below, as for any other content that is not ours.
    }
    this.#complain("directory-cache-damaged", undefined);
    return [];
  }

  async #readPack({ id }: Pack, take: (digest: string, bytes: Uint8Array) => void): Promise<void> {
    const bytes = await this.#store.get(this.#prefix + packName(id));
    try {
      await eachMicrodescriptor(bytes ?? new Uint8Array(0), take);
    } catch (error) {
      this.#complain("directory-cache-damaged", error);
    }
  }

  /** Writes what `build` returns in one step; a store that refuses is no reason to stop. */
  async #save(build: () => Promise<ReadonlyMap<string, Uint8Array | undefined>>): Promise<void> {
    const written = this.#store
      .lock(`${this.#prefix}write`, async () => {
        const entries = await build();
        await this.#store.set(new Map([...entries].map(([name, value]) => [this.#prefix + name, value])));
        this.#complaints.clear();
      })
      .catch((error) => this.#complain("directory-cache-unwritable", error));
    // Another tab may hold the lock and never let go.
    if (!(await settledWithin(this.#clock, LONGEST_SAVE, written)))
      this.#complain("directory-cache-unwritable", undefined);
  }

  /** Once for each fault, until something can be stored again. */
  #complain(code: string, error: unknown): void {
    if (this.#complaints.has(code)) return;
    this.#complaints.add(code);
    const data = error === undefined ? {} : { data: { error: toTorError(error).code } };
    this.#log?.({ level: "warn", code, message: "the directory cache cannot be used as it should", ...data });
  }
}

function packName(id: number): string {
  return `microdescriptors/${id}`;
}

function isPack(value: unknown): value is Pack {
  if (typeof value !== "object" || value === null) return false;
  const { id, entries } = value as Record<string, unknown>;
  return (
    Number.isSafeInteger(id) &&
    (id as number) >= 0 &&
    Number.isSafeInteger(entries) &&
    (entries as number) >= 0
  );
}

function inPacks(parts: readonly Uint8Array[], firstId: number): (Pack & { bytes: Uint8Array })[] {
  const packs: (Pack & { bytes: Uint8Array })[] = [];
  let from = 0;
  let size = 0;
  for (const [i, part] of parts.entries()) {
    size += part.length;
    if (size < PACK_SIZE && i + 1 < parts.length) continue;
    packs.push({
      id: firstId + packs.length,
      entries: i + 1 - from,
      bytes: concat(...parts.slice(from, i + 1)),
    });
    from = i + 1;
    size = 0;
  }
  return packs;
}

function parseFloor(bytes: Uint8Array | undefined): number {
  const text = bytes === undefined ? "0" : fromLatin1(bytes);
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
}
