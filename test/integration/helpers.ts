// What whole-system tests share: a client on the private network without a bridge, digests of what it fetches.

import { createHash } from "node:crypto";
import { nodeDialer } from "@allium/bridge";
import {
  type CircuitInfo,
  type Clock,
  isTorError,
  memoryStore,
  type PathOptions,
  type Store,
  systemClock,
  TorClient,
  type TorError,
  type TorSocket,
} from "@allium/core";
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

/** Real time, moved by so many milliseconds, which may change: the clock on the wall, and the time that a device has run. */
export class MovedClock implements Clock {
  wall: number;
  run = 0;
  readonly #hurry: number;

  /** @param hurry by how much faster waits pass */
  constructor(wall = 0, hurry = 1) {
    this.wall = wall;
    this.#hurry = hurry;
  }

  now = () => Date.now() + this.wall;
  monotonic = () => performance.now() + this.run;
  timer = (ms: number) => systemClock.timer(ms / this.#hurry);
}

/** Why it failed. @throws what is no TorError, and where nothing failed */
export async function failureOf(operation: Promise<unknown>): Promise<Pick<TorError, "kind" | "code">> {
  try {
    await operation;
  } catch (error) {
    if (isTorError(error)) return { kind: error.kind, code: error.code };
    throw error;
  }
  throw new Error("nothing failed");
}

/** Fetches the page on a circuit of its own. @returns the circuit that carried it */
export async function circuitOf(tor: TorClient, url: string): Promise<CircuitInfo> {
  const ids: number[] = [];
  const listening = new AbortController();
  tor.addEventListener(
    "stream",
    ({ detail: { state, circuitId } }) => {
      if (state === "open" && circuitId !== undefined) ids.push(circuitId);
    },
    { signal: listening.signal },
  );
  try {
    const response = await tor.fetch(url, { isolation: crypto.randomUUID() });
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    const circuit = tor.circuits().find(({ id }) => id === ids.at(-1));
    await response.text();
    if (circuit === undefined) throw new Error("the circuit is gone already");
    return circuit;
  } finally {
    listening.abort();
  }
}
