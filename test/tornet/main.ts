// `npm run tornet -- [--dir D] [--scheduler KIST|Vanilla] [--params "cc_alg=0 …"] [--without-cgo] [--conflux-client]
// [--slow-path MS]`: starts a private Tor network, writes D/network.json and D/info.json, says READY, and runs until SIGINT or
// SIGTERM. What the options mean is in types.ts; MS is the delay each way.

import { parseArgs } from "node:util";
import { interruption, untilAborted } from "../../scripts/interrupt.ts";
import { progressPrinter } from "./progress.ts";
import { startTornet } from "./tornet.ts";
import type { ConsensusParams, Scheduler } from "./types.ts";

function readScheduler(text: string | undefined): Scheduler {
  if (text === undefined || text === "KIST") return "KIST";
  if (text === "Vanilla") return text;
  throw new Error(`--scheduler takes KIST or Vanilla, not ${text}`);
}

/** `name=value` pairs, as in torrc. */
function readParams(text: string): ConsensusParams {
  const pairs = text.split(/\s+/).map((pair) => pair.split("="));
  return Object.fromEntries(pairs.map(([name = "", value]) => [name, readWhole(value, `--params ${name}`)]));
}

function readWhole(text: string | undefined, what: string): number {
  if (text === undefined || !/^\d+$/.test(text)) throw new Error(`${what} wants a whole number`);
  return Number(text);
}

async function main(signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    options: {
      dir: { type: "string" },
      scheduler: { type: "string" },
      params: { type: "string" },
      "without-cgo": { type: "boolean", default: false },
      "conflux-client": { type: "boolean", default: false },
      "slow-path": { type: "string" },
    },
  });
  const began = performance.now();
  const tornet = await startTornet({
    ...(values.dir === undefined ? {} : { dir: values.dir }),
    scheduler: readScheduler(values.scheduler),
    ...(values.params === undefined ? {} : { consensusParams: readParams(values.params) }),
    withoutCgo: values["without-cgo"],
    confluxClient: values["conflux-client"],
    ...(values["slow-path"] === undefined
      ? {}
      : { slowPath: { delayMs: readWhole(values["slow-path"], "--slow-path") } }),
    log: (line) => console.error(line),
    onProgress: progressPrinter(),
    signal,
  });
  const { dir, http, socks } = tornet.info;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`page ${http.namedUrl}  SOCKS ${socks.host}:${socks.port}  files ${dir}/{network,info}.json`);
  console.log(`READY after ${seconds} s`);
  await untilAborted(signal);
  await tornet.stop();
}

const interrupted = interruption();
main(interrupted).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
