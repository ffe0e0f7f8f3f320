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
      for (const [key, value] of entries) {
        if (value === undefined) values.delete(key);
        else values.set(key, value.slice());
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
