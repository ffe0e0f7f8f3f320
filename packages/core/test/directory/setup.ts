// A network of three authorities and forty relays, and a DirectoryManager on caches, store and clock of the test's choice.

import { memoryStore } from "../../src/base/memory-store.ts";
import type { LogEvent, Store } from "../../src/base/ports.ts";
import type { NetDir } from "../../src/directory/api.ts";
import {
  DirectoryManager,
  type DirectoryManagerOptions,
  type DirectoryProgress,
} from "../../src/directory/manager.ts";
import { NOW, networkOf, TestAuthority, testRelay } from "./builder.ts";
import { honest, networkDocuments, TestCaches } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";

export const authorities = ["a", "b", "c"].map((name) => new TestAuthority(name));
export const strangers = ["x", "y", "z"].map((name) => new TestAuthority(name));
export const relays = Array.from({ length: 40 }, (_, i) => testRelay(i + 1));
export const documents = networkDocuments(authorities, relays);
export const good = honest(() => documents);
export const never = new AbortController().signal;

interface Setup {
  caches?: TestCaches;
  store?: Store;
  clock?: TestClock;
  options?: Partial<DirectoryManagerOptions>;
}

export function setup({
  caches = new TestCaches(good),
  store = memoryStore(),
  clock = new TestClock(NOW),
  options = {},
}: Setup = {}) {
  const events: LogEvent[] = [];
  const progress: DirectoryProgress[] = [];
  const manager = new DirectoryManager({
    network: networkOf(authorities),
    connector: caches,
    store,
    clock,
    shortage: (netdir) =>
      netdir.undescribed.length > netdir.listed / 20 ? "too many are missing" : undefined,
    log: (event) => events.push(event),
    onProgress: (one) => progress.push(one),
    ...options,
  });
  const bootstrap = (signal = never): Promise<NetDir> => clock.run(manager.bootstrap({ signal }));
  return { manager, caches, store, clock, events, progress, bootstrap };
}

/** A store that has seen a bootstrap. */
export async function filledStore(): Promise<Store> {
  const { bootstrap, store } = setup();
  await bootstrap();
  return store;
}

export async function keyEndingIn(store: Store, name: string): Promise<string> {
  const seen: string[] = [];
  const spy: Store = {
    ...store,
    get: (key) => {
      seen.push(key);
      return store.get(key);
    },
  };
  await setup({ store: spy }).manager.load();
  return seen.find((key) => key.endsWith(`/${name}`)) as string;
}
