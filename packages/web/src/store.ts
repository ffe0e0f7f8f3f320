// Core's Store over IndexedDB: one database, one object store, one transaction for each set().

import { type Store, TorError } from "@allium/core";
import { type IDBPDatabase, openDB } from "idb";

const VERSION = 1;
const VALUES = "values";

/**
 * A Store that lasts, shared by all pages and workers of the origin. Locks are Web Locks where the platform has them.
 * Its methods throw TorError `storage-denied` where the browser gives no storage (private windows, full disks).
 */
export function webStore(name: string): Store {
  let opened: Promise<IDBPDatabase> | undefined;
  const database = () => {
    opened ??= open(name, () => {
      opened = undefined;
    }).catch((error) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    get: (key) =>
      orDenied(async () => (await database()).get(VALUES, key) as Promise<Uint8Array | undefined>),
    set: (entries) =>
      orDenied(async () => {
        const transaction = (await database()).transaction(VALUES, "readwrite", { durability: "strict" });
        for (const [key, value] of entries) {
          // Not awaited one by one: the transaction is done when all are, or none is.
          if (value === undefined) transaction.store.delete(key).catch(() => {});
          else transaction.store.put(value.slice(), key).catch(() => {});
        }
        await transaction.done;
      }),
    lock: localLocks(`allium/${name}/`),
  };
}

function open(name: string, onGone: () => void): Promise<IDBPDatabase> {
  return openDB(name, VERSION, {
    upgrade: (database) => {
      database.createObjectStore(VALUES);
    },
    // A newer Allium in another tab wants to upgrade: let it.
    blocking: (_current, _blocked, event) => {
      (event.target as IDBDatabase).close();
      onGone();
    },
    terminated: onGone,
  });
}

async function orDenied<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw new TorError("storage-denied", "ALLIUM_E_STORAGE", "the browser's storage cannot be used", {
      cause,
    });
  }
}

/** Web Locks hold across tabs; without them a chain of promises holds within this one. */
function localLocks(prefix: string): Store["lock"] {
  const chains = new Map<string, Promise<unknown>>();
  return async (name, fn) => {
    const locks = globalThis.navigator?.locks;
    if (locks !== undefined)
      return (await locks.request(prefix + name, fn)) as Awaited<ReturnType<typeof fn>>;
    const run = (chains.get(name) ?? Promise.resolve()).then(fn, fn);
    const settled = run.catch(() => {});
    chains.set(name, settled);
    try {
      return await run;
    } finally {
      if (chains.get(name) === settled) chains.delete(name);
    }
  };
}
