// A Store that forgets everything with the page: for tests, one-off scripts, and as the form others are held against.

import type { Store } from "./ports.ts";

/** A Store in memory. */
export function memoryStore(): Store {
  const values = new Map<string, Uint8Array>();
  const locks = new Map<string, Promise<unknown>>();
  return {
    async get(key) {
      return values.get(key)?.slice();
    },
    async set(entries) {
      // Copied first, so that entries that cannot be read leave nothing half done.
      const copies = [...entries].map(([key, value]) => [key, value && Uint8Array.from(value)] as const);
      for (const [key, value] of copies) {
        if (value === undefined) values.delete(key);
        else values.set(key, value);
      }
    },
    async lock(name, fn) {
      const before = locks.get(name) ?? Promise.resolve();
      const run = before.then(fn, fn);
      const settled = run.catch(() => {});
      locks.set(name, settled);
      try {
        return await run;
      } finally {
        if (locks.get(name) === settled) locks.delete(name);
      }
    },
  };
}
