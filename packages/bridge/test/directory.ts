// A directory of three authorities and forty relays that is valid now, in a store as core's own manager leaves it.

import { memoryStore, type NetworkConfig, type Store, systemClock } from "@allium/core";
import { DirectoryManager } from "../../core/src/directory/manager.ts";
import { HOUR, networkOf, TestAuthority, testRelay } from "../../core/test/directory/builder.ts";
import {
  honest,
  networkDocuments,
  TestCaches,
  type TestNetwork,
} from "../../core/test/directory/cache-server.ts";

const authorities = ["a", "b", "c"].map((name) => new TestAuthority(name));
const now = Date.now();
/** Valid from half an hour ago on, fresh for half an hour, valid for two and a half; to whole seconds. */
export const VALID_AFTER = Math.floor((now - HOUR / 2) / 1000) * 1000;
const lifetime = { published: now - 24 * HOUR, expires: now + 24 * HOUR };

export const network: NetworkConfig = networkOf(authorities);

/** @param validAfter milliseconds since the epoch @param revision other microdescriptors for the same relays */
export function documentsOf(validAfter = VALID_AFTER, revision = 0): TestNetwork {
  const relays = Array.from({ length: 40 }, (_, i) => testRelay(i + 1, revision));
  return {
    ...networkDocuments(authorities, relays, { validAfter }),
    certificates: authorities.map((authority) => authority.certificate(lifetime)).join(""),
  };
}

export const documents = documentsOf();

/** Writes to `target` what a client that starts with nothing stores of `served`. */
export async function fill(target: Store, served: TestNetwork): Promise<void> {
  const fresh = memoryStore();
  const store: Store = {
    ...fresh,
    set: async (entries) => {
      await fresh.set(entries);
      await target.set(entries);
    },
  };
  const manager = new DirectoryManager({
    ...{ network, store, clock: systemClock, shortage: () => undefined },
    connector: new TestCaches(honest(() => served)),
  });
  const { signal } = new AbortController();
  await manager.bootstrap({ signal });
}

export async function filledStore(): Promise<Store> {
  const store = memoryStore();
  await fill(store, documents);
  return store;
}
