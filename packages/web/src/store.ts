// Core's Store in IndexedDB: one database, one object store, one transaction for each set; locks by the Web Locks API.
// Specified in "Indexed Database API 3.0" and "Web Locks API".

import { memoryStore, type Store, systemClock, TorError, type TorErrorCode } from "@allium/core";
import { withTimeout } from "@allium/core/internal";
import { type IDBPDatabase, openDB } from "idb";

/** Version of the database; its one object store holds bytes under their keys. */
const VERSION = 1;
const VALUES = "values";
/** Milliseconds for the database to open: a browser that denies storage may never answer. */
const OPEN_TIMEOUT = 10_000;

const CODES: Readonly<Record<string, TorErrorCode>> = {
  QuotaExceededError: "ALLIUM_E_STORAGE_QUOTA",
  VersionError: "ALLIUM_E_STORAGE_VERSION",
};

function storageError(cause: unknown): TorError {
  if (cause instanceof TorError) return cause;
  const { name, message } = cause instanceof Error ? cause : { name: "", message: String(cause) };
  const code = CODES[name] ?? "ALLIUM_E_STORAGE_DENIED";
  return new TorError("storage-denied", code, `the browser's storage cannot be used: ${message}`, { cause });
}

/**
 * A Store that lasts, shared by all pages and workers of the origin that use the same name. Opens at its first use.
 * Its methods throw TorError `storage-denied` where the browser gives no storage (private windows, full disks).
 */
export function webStore(name: string): Store {
  let opening: Promise<IDBPDatabase> | undefined;

  function forget(): void {
    opening = undefined;
  }
  function database(): Promise<IDBPDatabase> {
    opening ??= open(name, forget).catch((error) => {
      forget();
      throw error;
    });
    return opening;
  }
  async function attempt<T>(operation: (db: IDBPDatabase) => Promise<T>): Promise<T> {
    try {
      return await operation(await database());
    } catch (cause) {
      throw storageError(cause);
    }
  }
  return {
    get: (key) => attempt((db) => db.get(VALUES, key)),
    async set(entries) {
      // Copied before the first wait: the caller may change them, and a view would drag its whole buffer along.
      const copies = [...entries].map(([key, value]) => [key, value?.slice()] as const);
      await attempt((db) => writeAll(db, copies));
    },
    lock: makeLock(name),
  };
}

async function open(name: string, forget: () => void): Promise<IDBPDatabase> {
  if (globalThis.indexedDB === undefined) throw storageError(new Error("there is no IndexedDB"));
  const opening = openDB(name, VERSION, {
    upgrade: (db) => void db.createObjectStore(VALUES),
    // A newer version in another tab must not wait for this one; the next use opens again, and fails if it must.
    blocking: (_current, _blocked, event) => {
      forget();
      (event.target as IDBDatabase).close();
    },
    terminated: forget,
  });
  const error = () => storageError(new Error(`no answer within ${OPEN_TIMEOUT} ms`));
  try {
    return await withTimeout({ clock: systemClock, ms: OPEN_TIMEOUT, error }, () => opening);
  } catch (failure) {
    opening.then((late) => late.close()).catch(() => {});
    throw failure;
  }
}

type Entry = readonly [key: string, value: Uint8Array | undefined];

/** All or nothing: one transaction, aborted by the first request that fails. */
async function writeAll(db: IDBPDatabase, entries: readonly Entry[]): Promise<void> {
  const transaction = db.transaction(VALUES, "readwrite");
  const requests = entries.map(([key, value]) =>
    value === undefined ? transaction.store.delete(key) : transaction.store.put(value, key),
  );
  await Promise.all([...requests, transaction.done]);
}

function makeLock(store: string): Store["lock"] {
  const locks = globalThis.navigator?.locks;
  // Without Web Locks (an old browser, an insecure page) holders in this page still take turns.
  if (locks === undefined) return memoryStore().lock;
  return async <T>(name: string, fn: () => Promise<T>): Promise<T> =>
    (await locks.request(`allium/${store}/${name}`, fn)) as T;
}
