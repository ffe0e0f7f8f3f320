// What whole-system tests share: a client on the private network without a bridge, digests of what it fetches.

import { createHash } from "node:crypto";
import { nodeDialer } from "@allium/bridge";
import { memoryStore, type PathOptions, type Store, TorClient, type TorSocket } from "@allium/core";
import { inject, onTestFinished } from "vitest";

/** A client that dials relays by TCP; it is closed when the test is over. */
export function directClient(store: Store = memoryStore(), path: PathOptions = {}): TorClient {
  const client = new TorClient({ dialer: nodeDialer(), store, network: inject("network"), path });
  onTestFinished(() => client.close());
  return client;
}

export function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** The digest of what an echo service gives back of `sent`, which is written and read at the same time. */
export async function echoed(socket: TorSocket, sent: Uint8Array): Promise<string> {
  const writing = socket.writable.getWriter().write(sent);
  const hash = createHash("sha256");
  let received = 0;
  for await (const chunk of socket.readable) {
    hash.update(chunk);
    received += chunk.length;
    if (received === sent.length) break;
  }
  await writing;
  return hash.digest("hex");
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
