// One run of Allium in Node, in a process of its own: reads its job as JSON from argv, prints its result as JSON.

import { nodeDialer } from "@allium/bridge";
import { memoryStore, type NetworkConfig, TorClient } from "@allium/core";
import { type BenchTarget, measure } from "./measure.ts";

const job = JSON.parse(process.argv[2] as string) as { network: NetworkConfig; target: BenchTarget };
const store = memoryStore();
const dialer = nodeDialer();
const result = await measure(() => new TorClient({ dialer, store, network: job.network }), job.target);
const cpu = process.cpuUsage();
process.stdout.write(
  JSON.stringify({
    ...result,
    memory: process.resourceUsage().maxRSS * 1024,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
  }),
);
