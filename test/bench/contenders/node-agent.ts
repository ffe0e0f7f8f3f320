// The agent with Allium in Node, without a bridge: a process of its own.

import { nodeCiphers, nodeDialer } from "@allium/bridge";
import { memoryStore, TorClient } from "@allium/core";
import { AlliumAgent } from "./allium-agent.ts";
import type { AlliumStart } from "./protocol.ts";
import { serve, startOf } from "./serve.ts";

const { network, destination, options } = startOf<AlliumStart>();
const dialer = nodeDialer();
const ciphers = nodeCiphers();
const tls = { extraAnchors: [destination.https.root] };
const agent = new AlliumAgent(destination, {
  clients() {
    const store = memoryStore();
    // Circuits ahead of need would take their part of two cores at times of their own.
    const path = { preemptive: false };
    return () => new TorClient({ ...options, path, tls, dialer, ciphers, store, network });
  },
  memory() {
    (globalThis as { gc?: () => void }).gc?.();
    const { heapUsed, arrayBuffers, external } = process.memoryUsage();
    return { heap: heapUsed, buffers: Math.max(arrayBuffers, external) };
  },
});
serve((question) => agent.answer(question));
