// The agent with Allium in a page, or in a dedicated Worker of it: fetches questions from the page's server and posts its replies.

import { createTorClient, type WebClientOptions } from "@allium/web";
import { createWorkerClient } from "@allium/web/remote";
import { type AgentClient, AlliumAgent } from "./allium-agent.ts";
import type { AlliumStart } from "./protocol.ts";
import { servePage, startOfPage } from "./serve-page.ts";
import { Watch } from "./watch.ts";

function memory() {
  (globalThis as { gc?: () => void }).gc?.();
  const own = (performance as Performance & { memory?: { usedJSHeapSize: number } }).memory;
  return { heap: own?.usedJSHeapSize ?? 0, buffers: 0 };
}

const { network, destination, bridges = [], inWorker = false, options } = await startOfPage<AlliumStart>();

function createClient(all: WebClientOptions): AgentClient {
  if (!inWorker) return createTorClient(all);
  return createWorkerClient({ ...all, worker: new Worker("worker.js", { type: "module" }) });
}

const tls = { roots: "/roots.bin", extraAnchors: [destination.https.root] };
const watch = new Watch();
let stores = 0;
const agent = new AlliumAgent(destination, {
  clients() {
    const storeName = `bench-${++stores}`;
    // Circuits ahead of need would take their part of two cores at times of their own.
    const path = { preemptive: false };
    return () => createClient({ ...options, path, tls, bridges, network, storeName });
  },
  memory,
  watch: () => watch.start(),
  watched: () => watch.stop(),
});
await servePage((question) => agent.answer(question));
