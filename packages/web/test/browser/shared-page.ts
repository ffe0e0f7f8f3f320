// The page of the shared client's tests: a tab among others, and what the tests ask of it.

import { type ClientStatus, isTorError } from "@allium/core";
import { createSharedClient, type HostKind, type SharedTorClient } from "@allium/web/shared";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { config } from "./shared-config.ts";
import type { ServiceAnswer } from "./shared-sw.ts";

let tor: SharedTorClient;
/** Dedicated workers that this page has started. */
const workers: Worker[] = [];
const statuses: ClientStatus[] = [];
let following: Promise<Failover> | undefined;

/** When a download broke off because its host died, and when what followed was there; milliseconds since the epoch. */
export interface Failover {
  readonly code: string;
  readonly lost: number;
  readonly ready: number;
  readonly fetched: number;
}

function startWorker(): Worker {
  const worker = new Worker("worker.js", { type: "module" });
  workers.push(worker);
  return worker;
}

async function drain(response: Response): Promise<{ bytes: number; sha256: string }> {
  const hash = sha256.create();
  let bytes = 0;
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    hash.update(value);
    bytes += value.length;
  }
  return { bytes, sha256: bytesToHex(hash.digest()) };
}

async function follow(response: Response, small: string, tries: number): Promise<Failover> {
  const error: unknown = await drain(response).catch((thrown) => thrown);
  const lost = Date.now();
  const ready = await whileLost(tries, async () => tor.ready());
  await whileLost(tries, async () => (await tor.isolate("kept").fetch(small)).arrayBuffer());
  return { code: isTorError(error) ? error.code : String(error), lost, ready, fetched: Date.now() };
}

/** A page that is unloaded may answer once more before it is gone. @returns when it was done */
async function whileLost(most: number, use: () => Promise<unknown>): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      await use();
      return Date.now();
    } catch (error) {
      if (tries === most || !isTorError(error) || error.code !== "ALLIUM_E_REMOTE_LOST") throw error;
    }
  }
}

const page = {
  async open(host?: HostKind) {
    const sharedWorker = () => new SharedWorker("worker.js", { type: "module" });
    tor = createSharedClient({ ...config, sharedWorker, worker: startWorker, ...(host && { host }) });
    tor.addEventListener("status", ({ detail }) => statuses.push(detail));
    await tor.ready();
    return tor.status;
  },

  async about() {
    const [{ channels, streams }, guards] = [await tor.stats(), await tor.guards.export()];
    return { channels, openStreams: streams.open, guards: JSON.stringify(guards), workers: workers.length };
  },

  download: async (url: string) => drain(await tor.fetch(url)),

  /** Begins a download and leaves it unread. */
  hold: async (url: string) => (await tor.fetch(url)).status,

  /** Begins a download that the host's death will end. */
  async follow(large: string, small: string, tries: number) {
    following = follow(await tor.isolate("kept").fetch(large), small, tries);
  },

  followed: () => following as Promise<Failover>,

  statuses: () => statuses,

  terminate: () => workers.at(-1)?.terminate(),

  /** Ends every worker of the site. */
  kill: () => new BroadcastChannel("test/kill").postMessage(""),

  async register() {
    await navigator.serviceWorker.register("sw.js");
    await navigator.serviceWorker.ready;
  },

  /** What the service worker's own client answers. */
  async inService(url: string): Promise<ServiceAnswer> {
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise<ServiceAnswer>((resolve, reject) => {
      port1.onmessage = ({ data }) =>
        data.value === undefined ? reject(new Error(data.error)) : resolve(data.value);
    });
    active?.postMessage({ type: "test/fetch", url }, [port2]);
    return answer;
  },

  close: () => tor.close(),
};

export type SharedPage = typeof page;
Object.assign(globalThis, { sharedPage: page });
