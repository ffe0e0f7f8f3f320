// What whole-system tests share: a client on the private network without a bridge, digests of what it fetches.

import { createHash } from "node:crypto";
import { nodeDialer } from "@allium/bridge";
import { memoryStore, type Store, TorClient } from "@allium/core";
import { inject, onTestFinished } from "vitest";

/** A client that dials relays by TCP; it is closed when the test is over. */
export function directClient(store: Store = memoryStore()): TorClient {
  const client = new TorClient({ dialer: nodeDialer(), store, network: inject("network") });
  onTestFinished(() => client.close());
  return client;
}

/** Reads a response to its end. */
export async function digestOf(response: Response): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
